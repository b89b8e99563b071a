/** One container's readings, as they come, and as a row of `stats`. */
import type { ApiClient } from "../../api/client.ts";
import type { BlkioStats, ContainerStats, CpuStats, MemoryStats } from "../../api/stats.ts";
import { shortId } from "../../base/ids.ts";
import { lines } from "../../base/streams.ts";
import { GoObject } from "../format/template/go-type.ts";
import { bytesSize, humanSize } from "../format/units.ts";
import { containerPath } from "./names.ts";

export const statsHeader = {
  Container: "CONTAINER",
  Name: "NAME",
  ID: "CONTAINER ID",
  CPUPerc: "CPU %",
  MemUsage: "MEM USAGE / LIMIT",
  MemPerc: "MEM %",
  NetIO: "NET I/O",
  BlockIO: "BLOCK I/O",
  PIDs: "PIDS",
};

export interface StatsEntry {
  readonly container: string;
  readonly name: string;
  readonly id: string;
  /** Undefined: no reading, shown as dashes. */
  readonly reading?: Reading;
}

interface Reading {
  readonly cpuPercent: number;
  readonly memory: number;
  readonly memoryLimit: number;
  readonly received: number;
  readonly sent: number;
  readonly read: number;
  readonly written: number;
  readonly pids: number;
}

export function statsRow(entry: StatsEntry, truncate: boolean): GoObject {
  const { reading } = entry;
  const show = (text: (reading: Reading) => string, missing = "--") => (reading ? text(reading) : missing);
  const percent = (value: number) => `${value.toFixed(2)}%`;
  return new GoObject("*container.statsContext", {
    BlockIO: () => show(({ read, written }) => `${humanSize(read, 3)} / ${humanSize(written, 3)}`),
    CPUPerc: () => show(({ cpuPercent }) => percent(cpuPercent)),
    Container: () => entry.container,
    ID: () => (truncate ? shortId(entry.id) : entry.id),
    MemPerc: () => show(({ memory, memoryLimit }) => percent(memoryLimit === 0 ? 0 : (memory / memoryLimit) * 100)),
    MemUsage: () => show(({ memory, memoryLimit }) => `${bytesSize(memory)} / ${bytesSize(memoryLimit)}`, "-- / --"),
    Name: () => (entry.name.length > 1 ? entry.name.slice(1) : "--"),
    NetIO: () => show(({ received, sent }) => `${humanSize(received, 3)} / ${humanSize(sent, 3)}`),
    PIDs: () => show(({ pids }) => String(pids)),
  });
}

/** A reading is dropped when no newer one comes within this time. */
const staleMillis = 2000;

export class StatsCollector {
  entry: StatsEntry;
  failure: unknown;
  private readonly client: ApiClient;
  private readonly abort = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: ApiClient, container: string) {
    this.client = client;
    this.entry = { container, name: "", id: "" };
  }

  /** Resolves with the first reading, an error (see `failure`), or after two seconds without either. Never rejects. */
  async start(follow: boolean): Promise<void> {
    const { promise: first, resolve } = Promise.withResolvers<void>();
    const collecting = this.collect(follow, resolve).catch((error: unknown) => {
      if (!this.abort.signal.aborted) this.failure = error;
    });
    void collecting.finally(() => {
      clearTimeout(this.timer);
      resolve();
    });
    await first;
  }

  stop(): void {
    this.abort.abort();
  }

  private async collect(follow: boolean, onReading: () => void): Promise<void> {
    const stream = await this.client.stream("GET", `${containerPath(this.entry.container)}/stats`, {
      query: { stream: follow },
      signal: this.abort.signal,
    });
    this.expectReading(onReading);
    for await (const line of lines(stream)) {
      if (line.trim() === "") continue;
      this.entry = toEntry(this.entry.container, JSON.parse(line) as ContainerStats);
      onReading();
      if (!follow) return;
      this.expectReading(onReading);
    }
  }

  private expectReading(onReading: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const { reading: _stale, ...rest } = this.entry;
      this.entry = rest;
      onReading();
    }, staleMillis);
  }
}

function toEntry(container: string, stats: ContainerStats): StatsEntry {
  const networks = Object.values(stats.networks ?? {});
  const [read, written] = blockTotals(stats.blkio_stats);
  return {
    container,
    name: stats.name,
    id: stats.id,
    reading: {
      cpuPercent: cpuPercent(stats.precpu_stats, stats.cpu_stats),
      memory: usedMemory(stats.memory_stats),
      memoryLimit: stats.memory_stats.limit ?? 0,
      received: networks.reduce((sum, network) => sum + network.rx_bytes, 0),
      sent: networks.reduce((sum, network) => sum + network.tx_bytes, 0),
      read,
      written,
      pids: stats.pids_stats.current ?? 0,
    },
  };
}

function cpuPercent(before: CpuStats, now: CpuStats): number {
  const used = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
  const system = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
  const cpus = now.online_cpus || (now.cpu_usage.percpu_usage?.length ?? 0);
  return used > 0 && system > 0 ? (used / system) * cpus * 100 : 0;
}

/** Without the page cache that could be dropped: cgroup v1 calls it total_inactive_file, v2 inactive_file. */
function usedMemory(memory: MemoryStats): number {
  const usage = memory.usage ?? 0;
  const inactive = memory.stats?.["total_inactive_file"] ?? memory.stats?.["inactive_file"] ?? 0;
  return inactive < usage ? usage - inactive : usage;
}

function blockTotals(blkio: BlkioStats): [number, number] {
  let [read, written] = [0, 0];
  for (const { op, value } of blkio.io_service_bytes_recursive ?? []) {
    if (/^r/i.test(op)) read += value;
    if (/^w/i.test(op)) written += value;
  }
  return [read, written];
}
