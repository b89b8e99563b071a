/** What the engine says about itself: version, info, disk usage, events and metrics. Satisfies the server's SystemBackend. */
import type { ContainerStatus, ContainerSummary } from "../../api/containers.ts";
import type { ImageSummary } from "../../api/images.ts";
import type { DiskUsage, EventMessage, Filters, SystemInfo, SystemVersion } from "../../api/system.ts";
import type { Volume } from "../../api/volumes.ts";
import type { HostFacts } from "../../linux/host-facts.ts";
import type { EventBus, EventStreamOptions } from "../events/event-bus.ts";
import { readHostIdentity } from "./host-identity.ts";
import { type ShownConfig, toInfo } from "./info.ts";
import { type EngineState, renderMetrics } from "./metrics.ts";
import type { RequestMetrics } from "./request-metrics.ts";
import { runtimeVersion, toVersion } from "./version.ts";

export interface SystemOptions {
  /** The daemon's own id, kept in its data root. */
  id: string;
  version: string;
  commit: string;
  /** RFC 3339. */
  buildTime: string;
  config: ShownConfig;
  host: HostFacts;
  events: EventBus;
  requests: RequestMetrics;
  /** Clients that are connected to the API now. */
  connections: () => number;
  /** The states of all containers. */
  containerStates: () => Iterable<ContainerStatus>;
  imageCount: () => number;
  listContainers: (options: { all: boolean; size: boolean; filters: Filters }) => Promise<ContainerSummary[]>;
  listImages: (options: {
    all: boolean;
    digests: boolean;
    sharedSize: boolean;
    counted: boolean;
    filters: Filters;
  }) => Promise<ImageSummary[]>;
  /** Names of devices that containers can ask for. */
  cdiDevices: () => readonly string[];
  /** Names of plugins in use. */
  plugins: () => { volume: string[]; authorization: string[] };
  /** Volumes with their UsageData. */
  volumesWithUsage: () => Promise<Volume[]>;
  /** Bytes of all layers, each counted once. */
  layersSize: () => number | Promise<number>;
  /** As `system df` shows them. */
  buildCache: () => object[];
}

export class System {
  private readonly options: SystemOptions;
  private readonly runtimeVersions = new Map<string, string>();
  private readonly identity = readHostIdentity();
  private readonly measuring = new Map<string, Promise<DiskUsage>>();

  /** Asks the runtimes for their versions in the background. */
  constructor(options: SystemOptions) {
    this.options = options;
    for (const [name, { path }] of Object.entries(options.config.runtimes)) {
      runtimeVersion(path).then((version) => version && this.runtimeVersions.set(name, version));
    }
  }

  version(): SystemVersion {
    const { version, commit, buildTime, host, config } = this.options;
    const { experimental } = config;
    return toVersion({ version, commit, experimental, buildTime, host, runtimes: this.runtimeVersions });
  }

  /** What clients go by before they ask for anything. */
  ping(): { experimental: boolean; builderVersion: "1" | "2" } {
    const { experimental, preferBuildkit } = this.options.config;
    return { experimental, builderVersion: preferBuildkit ? "2" : "1" };
  }

  async info(): Promise<SystemInfo> {
    const [plugins, cdiDevices] = [this.options.plugins(), this.options.cdiDevices()];
    return toInfo({ ...this.options, plugins, cdiDevices, identity: this.identity, state: this.state() });
  }

  /** `types` of Docker's `type` parameter; none means all. Callers at the same time share one measurement. */
  diskUsage(types: string[]): Promise<DiskUsage> {
    const key = [...types].sort().join();
    const running = this.measuring.get(key);
    if (running) return running;
    const measured = this.measure(types).finally(() => this.measuring.delete(key));
    this.measuring.set(key, measured);
    return measured;
  }

  events(options: EventStreamOptions): AsyncIterable<EventMessage> {
    return this.options.events.stream(options);
  }

  /** Prometheus text, format 0.0.4. */
  async metrics(): Promise<string> {
    const { requests, version, commit, host } = this.options;
    return renderMetrics({ state: this.state(), requests, version, commit, host, identity: this.identity });
  }

  private state(): EngineState {
    const { events, containerStates, imageCount, connections } = this.options;
    const counts = { running: 0, paused: 0, stopped: 0 };
    for (const status of containerStates()) {
      if (status === "running" || status === "restarting") counts.running++;
      else if (status === "paused") counts.paused++;
      else counts.stopped++;
    }
    return {
      ...counts,
      images: imageCount(),
      eventsTotal: events.total,
      eventListeners: events.listeners,
      connections: connections(),
    };
  }

  private async measure(types: string[]): Promise<DiskUsage> {
    const { listContainers, listImages, volumesWithUsage, layersSize, buildCache } = this.options;
    const wants = (type: string) => types.length === 0 || types.includes(type);
    const images = { all: false, digests: false, sharedSize: true, counted: true, filters: {} };
    const [layers, imageList, containerList, volumeList] = await Promise.all([
      wants("image") ? layersSize() : 0,
      wants("image") ? listImages(images) : [],
      wants("container") ? listContainers({ all: true, size: true, filters: {} }) : [],
      wants("volume") ? volumesWithUsage() : [],
    ]);
    const cache = wants("build-cache") ? buildCache() : [];
    return { LayersSize: layers, Images: imageList, Containers: containerList, Volumes: volumeList, BuildCache: cache };
  }
}
