/** `docker stats`: one sample a second, each carrying the one before it so that clients can tell rates. */
import type { ContainerStats } from "../../../api/stats.ts";
import { nowRfc3339Nano, zeroTime } from "../../../base/clock.ts";
import type { Container } from "../container.ts";

/** Reads the counters of a running container; without times and names. */
export type Sampler = (container: Container) => Promise<Sample>;
export type Sample = Omit<
  ContainerStats,
  "name" | "id" | "read" | "preread" | "precpu_stats" | "num_procs" | "storage_stats"
>;

export interface StatsOptions {
  stream: boolean;
  /** Without `stream`: do not wait for a second sample to compare with. */
  oneShot: boolean;
  signal: AbortSignal;
}

const period = 1000;
const noCpu: ContainerStats["cpu_stats"] = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

/** Ends on abort or when the container is removed; a stopped container yields empty samples, as with dockerd. */
export async function* streamStats(
  container: Container,
  sample: Sampler,
  { stream, oneShot, signal }: StatsOptions,
): AsyncGenerator<ContainerStats> {
  let previous = await take(container, sample);
  if (!stream && oneShot) return yield toStats(container, previous, undefined);
  if (stream) yield toStats(container, previous, undefined);
  while (!signal.aborted && !container.isRemoved) {
    await Bun.sleep(period);
    if (signal.aborted || container.isRemoved) return;
    const current = await take(container, sample);
    yield toStats(container, current, previous);
    if (!stream) return;
    previous = current;
  }
}

interface Taken {
  read: string;
  sample: Sample | undefined;
}

async function take(container: Container, sample: Sampler): Promise<Taken> {
  if (!container.isRunning) return { read: zeroTime, sample: undefined };
  // The task may end between the check and the read: then there is nothing to count.
  const taken = await sample(container).catch(() => undefined);
  return { read: taken ? nowRfc3339Nano() : zeroTime, sample: taken };
}

function toStats({ record }: Container, { read, sample }: Taken, previous: Taken | undefined): ContainerStats {
  return {
    name: `/${record.name}`,
    id: record.id,
    read,
    preread: previous?.read ?? zeroTime,
    pids_stats: sample?.pids_stats ?? {},
    blkio_stats: sample?.blkio_stats ?? noBlkio,
    num_procs: 0,
    storage_stats: {},
    cpu_stats: sample?.cpu_stats ?? noCpu,
    precpu_stats: previous?.sample?.cpu_stats ?? noCpu,
    memory_stats: sample?.memory_stats ?? {},
    ...(sample?.networks ? { networks: sample.networks } : {}),
  };
}

const noBlkio: ContainerStats["blkio_stats"] = {
  io_service_bytes_recursive: null,
  io_serviced_recursive: null,
  io_queue_recursive: null,
  io_service_time_recursive: null,
  io_wait_time_recursive: null,
  io_merged_recursive: null,
  io_time_recursive: null,
  sectors_recursive: null,
};
