/**
 * What older API versions say differently. The engine speaks the newest; this file turns requests of older clients into new ones and
 * new answers into old ones. Each rule stands under the version that brought the change. Source: moby's api/docs/CHANGELOG.md (one
 * section per version) and the conditions in moby's api/server/router. Versions are minor numbers: 44 is 1.44.
 */
import type { HostConfig, Mount } from "../api/container-config.ts";
import type {
  ContainerCreateRequest,
  ContainerInspect,
  ContainerSummary,
  ExecCreateRequest,
} from "../api/containers.ts";
import type { ImageInspect, ImageSummary } from "../api/images.ts";
import type { EndpointSettings, NetworkCreateRequest, NetworkInspect } from "../api/networks.ts";
import type { DiskUsage, Filters, SystemInfo } from "../api/system.ts";
import { invalidArgument } from "../base/errors.ts";

/** A change applies to clients older than `before`. It may edit the value, which is the server's own copy. */
interface Change<T> {
  readonly before: number;
  readonly apply: (value: T) => void;
}

function shape<T>(changes: readonly Change<T>[], value: T, version: number): T {
  for (const { before, apply } of changes) if (version < before) apply(value);
  return value;
}

function mounts(host: HostConfig): Mount[] {
  return host.Mounts ?? [];
}

const createChanges: readonly Change<ContainerCreateRequest & { HostConfig: HostConfig }>[] = [
  {
    // 1.40: IpcMode defaults to private; before, to shareable. BindOptions.NonRecursive is new.
    before: 40,
    apply: ({ HostConfig: host }) => {
      if (!host.IpcMode) host.IpcMode = "shareable";
      for (const mount of mounts(host)) delete mount.BindOptions?.NonRecursive;
      delete host.KernelMemoryTCP;
    },
  },
  {
    // 1.41: CgroupnsMode is new; before, containers were in the host's.
    before: 41,
    apply: ({ HostConfig: host }) => {
      host.CgroupnsMode = "host";
    },
  },
  {
    // 1.42: CreateMountpoint is new; options of another mount type were not refused.
    before: 42,
    apply: ({ HostConfig: host }) => {
      for (const mount of mounts(host)) {
        delete mount.BindOptions?.CreateMountpoint;
        if (mount.Type !== "bind") delete mount.BindOptions;
        if (mount.Type !== "volume") delete mount.VolumeOptions;
        if (mount.Type !== "tmpfs") delete mount.TmpfsOptions;
      }
      delete host.ConsoleSize;
    },
  },
  {
    // 1.43: Annotations are new.
    before: 43,
    apply: ({ HostConfig: host }) => {
      delete host.Annotations;
    },
  },
  {
    // 1.44: read-only binds are recursively so; Healthcheck.StartInterval is new.
    before: 44,
    apply: (request) => {
      for (const mount of mounts(request.HostConfig)) {
        if (mount.Type === "bind") mount.BindOptions = { ...mount.BindOptions, ReadOnlyNonRecursive: true };
      }
      delete request.Healthcheck?.StartInterval;
      const endpoints = Object.keys(request.NetworkingConfig?.EndpointsConfig ?? {});
      if (endpoints.length > 1) {
        throw invalidArgument(`Container cannot be created with multiple network endpoints: ${endpoints.join(", ")}`);
      }
    },
  },
  {
    before: 45,
    apply: ({ HostConfig: host }) => {
      for (const mount of mounts(host)) {
        if (mount.VolumeOptions?.Subpath) throw invalidArgument("VolumeOptions.Subpath needs API v1.45 or newer");
      }
    },
  },
  {
    before: 48,
    apply: (request) => {
      for (const mount of mounts(request.HostConfig)) {
        if (mount.Type === "image") throw invalidArgument('Mount type "Image" needs API v1.48 or newer');
      }
      for (const endpoint of Object.values(request.NetworkingConfig?.EndpointsConfig ?? {}))
        delete endpoint?.GwPriority;
    },
  },
  {
    // 1.49: TmpfsOptions.Options came in 1.46; older clients cannot send them.
    before: 46,
    apply: ({ HostConfig: host }) => {
      for (const mount of mounts(host)) delete mount.TmpfsOptions?.Options;
    },
  },
];

/** The request of a client of this version as a client of the newest would send it. Throws invalid-argument for what is too new for it. */
export function upgradeCreate(request: ContainerCreateRequest, version: number): ContainerCreateRequest {
  const host = request.HostConfig ?? {};
  shape(createChanges, Object.assign(request, { HostConfig: host }), version);
  // 1.42 took KernelMemory away, and 0 means the same as -1 and nothing.
  if (version >= 42) delete host.KernelMemory;
  if (typeof host.PidsLimit === "number" && host.PidsLimit <= 0) delete host.PidsLimit;
  // 1.44 moved the address to the endpoint: older clients give it for the container.
  if (version >= 44 || !request.MacAddress) return request;
  const network = host.NetworkMode && host.NetworkMode !== "default" ? host.NetworkMode : "default";
  if (/^(none|host|container:)/.test(network)) return request;
  const endpoints = { ...request.NetworkingConfig?.EndpointsConfig };
  endpoints[network] = { MacAddress: request.MacAddress, ...endpoints[network] };
  request.NetworkingConfig = { ...request.NetworkingConfig, EndpointsConfig: endpoints };
  return request;
}

export function upgradeExecCreate(request: ExecCreateRequest, version: number): ExecCreateRequest {
  if (version < 42) delete request.ConsoleSize;
  if (version < 35) delete request.WorkingDir;
  if (version < 25) delete request.Env;
  return request;
}

export function upgradeNetworkCreate(request: NetworkCreateRequest, version: number): NetworkCreateRequest {
  if (version < 48) delete request.EnableIPv4;
  return request;
}

export function upgradeEndpoint(endpoint: EndpointSettings | undefined, version: number): EndpointSettings | undefined {
  if (endpoint && version < 44) delete endpoint.MacAddress;
  if (endpoint && version < 48) delete endpoint.GwPriority;
  return endpoint;
}

/** 1.42: pruning volumes takes only the anonymous ones; before, all. */
export function upgradeVolumePrune(filters: Filters, version: number): Filters {
  return version < 42 && !filters["all"] ? { ...filters, all: ["true"] } : filters;
}

function downgradeEndpoints(endpoints: Record<string, EndpointSettings>, version: number, containerId: string): void {
  for (const endpoint of Object.values(endpoints)) {
    if (version < 48) delete endpoint.GwPriority;
    if (version < 44) delete endpoint.DNSNames;
    // 1.45: the container's short id is no longer among its aliases.
    if (version < 45 && endpoint.Aliases && !endpoint.Aliases.includes(containerId.slice(0, 12))) {
      endpoint.Aliases = [...endpoint.Aliases, containerId.slice(0, 12)];
    }
  }
}

export function downgradeSummary(container: ContainerSummary, version: number): ContainerSummary {
  const copy = structuredClone(container);
  downgradeEndpoints(copy.NetworkSettings.Networks, version, copy.Id);
  if (version < 46) delete copy.HostConfig.Annotations;
  if (version < 48) delete copy.ImageManifestDescriptor;
  return copy;
}

const inspectChanges: readonly Change<ContainerInspect>[] = [
  { before: 40, apply: ({ HostConfig: host }) => delete host.DeviceRequests },
  { before: 41, apply: ({ HostConfig: host }) => delete host.CgroupnsMode },
  { before: 43, apply: ({ HostConfig: host }) => delete host.Annotations },
  {
    // 1.44 took Config.MacAddress away.
    before: 44,
    apply: ({ Config: config, NetworkSettings: settings }) => {
      const address = settings.MacAddress || Object.values(settings.Networks)[0]?.MacAddress;
      if (address && config.MacAddress === undefined) config.MacAddress = address;
    },
  },
  { before: 48, apply: (container) => delete container.ImageManifestDescriptor },
];

export function downgradeInspect(container: ContainerInspect, version: number): ContainerInspect {
  if (version >= 48) return container;
  const copy = structuredClone(container);
  downgradeEndpoints(copy.NetworkSettings.Networks, version, copy.Id);
  // 1.42 took KernelMemory away.
  if (version < 42) copy.HostConfig.KernelMemory ??= 0;
  return shape(inspectChanges, copy, version);
}

/** 1.44 took VirtualSize away. */
export function downgradeImage(image: ImageSummary, version: number): ImageSummary {
  const { VirtualSize: _, ...rest } = image;
  return version < 44 ? { ...rest, VirtualSize: image.Size } : rest;
}

/** 1.44 took VirtualSize away, 1.45 Container and ContainerConfig. */
export function downgradeImageInspect(image: ImageInspect, version: number): ImageInspect {
  const { VirtualSize: _, Container: container, ContainerConfig: containerConfig, ...rest } = image;
  return {
    ...rest,
    ...(version < 44 ? { VirtualSize: image.Size } : {}),
    ...(version < 45 ? { Container: container ?? "", ContainerConfig: containerConfig ?? null } : {}),
  };
}

/** 1.48: networks say whether they have IPv4. */
export function downgradeNetwork(network: NetworkInspect, version: number): object {
  if (version >= 48) return network;
  const { EnableIPv4: _, ...rest } = network;
  return rest;
}

const infoChanges: readonly Change<SystemInfo>[] = [
  {
    // 1.25: security options are lists of key=value; before, bare names.
    before: 25,
    apply: (info) => {
      info.SecurityOptions = info.SecurityOptions.map((option) => /(?:^|,)name=([^,]*)/.exec(option)?.[1] ?? option);
      info["ExecutionDriver"] = "<not supported>";
    },
  },
  {
    before: 44,
    apply: (info) => {
      info.Runtimes = Object.fromEntries(Object.entries(info.Runtimes).map(([name, { path }]) => [name, { path }]));
    },
  },
  { before: 46, apply: (info) => delete info["Containerd"] },
  { before: 49, apply: (info) => delete info["FirewallBackend"] },
  { before: 50, apply: (info) => delete info["DiscoveredDevices"] },
];

export function downgradeInfo(info: SystemInfo, version: number): SystemInfo {
  return shape(infoChanges, { ...info }, version);
}

export function downgradeDiskUsage(usage: DiskUsage, version: number): object {
  const copy: DiskUsage = { ...usage };
  if (copy.Images) copy.Images = copy.Images.map((image) => downgradeImage(image, version));
  if (copy.Containers) copy.Containers = copy.Containers.map((container) => downgradeSummary(container, version));
  if (version < 42) copy.BuilderSize = copy.BuilderSize ?? 0;
  if (version >= 42) delete copy.BuilderSize;
  if (version >= 31) return copy;
  const { BuildCache: _, ...rest } = copy;
  return rest;
}

/** 1.42: output of containers without a terminal says that it is framed. */
export function streamType(multiplexed: boolean, version: number): string {
  return multiplexed && version >= 42
    ? "application/vnd.docker.multiplexed-stream"
    : "application/vnd.docker.raw-stream";
}
