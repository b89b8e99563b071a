/** `GET /metrics` in Prometheus' text format 0.0.4: dockerd's names where they fit, `gantry_` and `process_` for the rest. */
import { apiVersion } from "../../api/system.ts";
import type { HostFacts } from "../../linux/host-facts.ts";
import type { HostIdentity } from "./host-identity.ts";
import { type Histogram, latencyBounds, type RequestMetrics } from "./request-metrics.ts";

export interface EngineState {
  running: number;
  paused: number;
  stopped: number;
  images: number;
  eventsTotal: number;
  eventListeners: number;
  connections: number;
}

export interface MetricsInput {
  state: EngineState;
  requests: RequestMetrics;
  version: string;
  commit: string;
  host: HostFacts;
  identity: HostIdentity;
}

type Labels = Record<string, string>;

export function renderMetrics(input: MetricsInput): string {
  const page = new Page();
  engineMetrics(page, input);
  requestMetrics(page, input.requests);
  processMetrics(page);
  return page.text();
}

function engineMetrics(page: Page, { state, version, commit, host, identity }: MetricsInput): void {
  const states = ["running", "paused", "stopped"] as const;
  page.family("engine_daemon_container_states_containers", "gauge", "The count of containers in various states");
  for (const name of states) page.sample({ state: name }, state[name]);
  page.family(
    "engine_daemon_engine_info",
    "gauge",
    "The information related to the engine and the OS it is running on",
  );
  page.sample(
    {
      architecture: identity.machine,
      commit,
      graphdriver: "overlay2",
      kernel: host.kernelRelease,
      os: identity.operatingSystem,
      os_type: "linux",
      version,
    },
    1,
  );
  page.single(
    "engine_daemon_engine_cpus_cpus",
    "gauge",
    "The number of cpus that the host system of the engine has",
    host.cpus,
  );
  page.single(
    "engine_daemon_engine_memory_bytes",
    "gauge",
    "The number of bytes of memory that the host has",
    host.memory,
  );
  page.single("engine_daemon_events_total", "counter", "The number of events logged", state.eventsTotal);
  page.single(
    "engine_daemon_events_subscribers_total",
    "gauge",
    "The number of current subscribers to events",
    state.eventListeners,
  );
  page.single("gantry_images", "gauge", "The number of images", state.images);
  page.family("gantry_api_info", "gauge", "The Engine API that is served");
  page.sample({ version: apiVersion }, 1);
}

function requestMetrics(page: Page, metrics: RequestMetrics): void {
  page.family(
    "engine_daemon_container_actions_seconds",
    "histogram",
    "The number of seconds it takes to process each container action",
  );
  for (const [action, histogram] of metrics.actions) page.histogram({ action }, histogram);
  page.family("gantry_api_requests_total", "counter", "API requests by route and status");
  for (const { method, path, status, count } of metrics.requests.values()) {
    page.sample({ method, path, code: String(status) }, count);
  }
  page.family("gantry_api_request_duration_seconds", "histogram", "Time from the request to the response's head");
  for (const { method, path, histogram } of metrics.latency.values()) page.histogram({ method, path }, histogram);
}

function processMetrics(page: Page): void {
  const { user, system } = process.cpuUsage();
  const started = (Date.now() - process.uptime() * 1000) / 1000;
  page.single(
    "process_cpu_seconds_total",
    "counter",
    "Total user and system CPU time spent in seconds",
    (user + system) / 1e6,
  );
  page.single("process_resident_memory_bytes", "gauge", "Resident memory size in bytes", process.memoryUsage.rss());
  page.single("process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds", started);
}

/** Collects lines; samples belong to the family begun last. */
class Page {
  private readonly lines: string[] = [];
  private name = "";

  family(name: string, type: "counter" | "gauge" | "histogram", help: string): void {
    this.name = name;
    this.lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  }

  single(name: string, type: "counter" | "gauge", help: string, value: number): void {
    this.family(name, type, help);
    this.sample({}, value);
  }

  sample(labels: Labels, value: number, suffix = ""): void {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
    this.lines.push(`${this.name}${suffix}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`);
  }

  histogram(labels: Labels, histogram: Histogram): void {
    let cumulative = 0;
    for (const [index, bound] of latencyBounds.entries()) {
      cumulative += histogram.buckets[index] ?? 0;
      this.sample({ ...labels, le: String(bound) }, cumulative, "_bucket");
    }
    this.sample({ ...labels, le: "+Inf" }, histogram.count, "_bucket");
    this.sample(labels, histogram.sum, "_sum");
    this.sample(labels, histogram.count, "_count");
  }

  text(): string {
    return `${this.lines.join("\n")}\n`;
  }
}

function escapeLabel(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}
