/** Counters in Prometheus's text format. https://prometheus.io/docs/instrumenting/exposition_formats/ */
import type { Collected } from "./content/collector.ts";

/** Anything else is counted as one: labels must not grow with what clients send. */
const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);
const buckets = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10];

export type MirrorOutcome = "here" | "fetched" | "stale";

interface Timing {
  readonly counts: number[];
  count: number;
  sum: number;
}

export class Metrics {
  private readonly requests = new Map<string, number>();
  private readonly timings = new Map<string, Timing>();
  private receivedBytes = 0;
  private readonly mirrored = { here: 0, fetched: 0, stale: 0 };
  private readonly collected = { runs: 0, blobs: 0, bytes: 0 };

  /** `seconds` is the time to the response's headers; bodies go out on their own. */
  request(route: string, method: string, status: number, seconds: number): void {
    const key = `route="${route}",method="${methods.has(method) ? method : "other"}",status="${status}"`;
    this.requests.set(key, (this.requests.get(key) ?? 0) + 1);
    const timing = this.timings.get(route) ?? { counts: buckets.map(() => 0), count: 0, sum: 0 };
    this.timings.set(route, timing);
    timing.count++;
    timing.sum += seconds;
    for (const [at, limit] of buckets.entries()) if (seconds <= limit) timing.counts[at] = (timing.counts[at] ?? 0) + 1;
  }

  /** Of blobs that clients upload. */
  received(bytes: number): void {
    this.receivedBytes += bytes;
  }

  /** What became of a request for a mirrored tag or blob. */
  mirror(outcome: MirrorOutcome): void {
    this.mirrored[outcome]++;
  }

  collection({ blobs, bytes }: Collected): void {
    this.collected.runs++;
    this.collected.blobs += blobs;
    this.collected.bytes += bytes;
  }

  render(): string {
    const out: string[] = [];
    const family = (name: string, type: string, help: string) =>
      out.push(`# HELP gantry_registry_${name} ${help}`, `# TYPE gantry_registry_${name} ${type}`);
    family("requests_total", "counter", "Requests answered.");
    for (const [labels, count] of this.requests) out.push(`gantry_registry_requests_total{${labels}} ${count}`);
    family("request_seconds", "histogram", "Time from request to response headers.");
    for (const [route, { counts, count, sum }] of this.timings) {
      const name = "gantry_registry_request_seconds";
      for (const [at, limit] of buckets.entries())
        out.push(`${name}_bucket{route="${route}",le="${limit}"} ${counts[at]}`);
      out.push(`${name}_bucket{route="${route}",le="+Inf"} ${count}`);
      out.push(`${name}_sum{route="${route}"} ${sum}`, `${name}_count{route="${route}"} ${count}`);
    }
    family("received_bytes_total", "counter", "Bytes of blobs that were uploaded.");
    out.push(`gantry_registry_received_bytes_total ${this.receivedBytes}`);
    family(
      "mirror_requests_total",
      "counter",
      "Tags and blobs of mirrors: served from here, fetched, or stale for want of the upstream.",
    );
    for (const [outcome, count] of Object.entries(this.mirrored))
      out.push(`gantry_registry_mirror_requests_total{outcome="${outcome}"} ${count}`);
    family("gc_runs_total", "counter", "Garbage collections finished.");
    out.push(`gantry_registry_gc_runs_total ${this.collected.runs}`);
    family("gc_blobs_total", "counter", "Blobs removed by garbage collection.");
    out.push(`gantry_registry_gc_blobs_total ${this.collected.blobs}`);
    family("gc_bytes_total", "counter", "Bytes freed by garbage collection.");
    out.push(`gantry_registry_gc_bytes_total ${this.collected.bytes}`);
    family("resident_memory_bytes", "gauge", "Resident memory of the process.");
    out.push(`gantry_registry_resident_memory_bytes ${process.memoryUsage.rss()}`);
    return `${out.join("\n")}\n`;
  }
}
