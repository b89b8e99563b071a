/**
 * What older API versions mean by a request. The engine speaks the newest; this turns requests of older clients into new ones. Each
 * rule stands under the version that brought the change. Source: moby's api/docs/CHANGELOG.md (one section per version) and the
 * conditions in moby's api/server/router. Versions are minor numbers: 44 is 1.44.
 */
import type { HostConfig, Mount } from "../api/container-config.ts";
import type { ContainerCreateRequest, ExecCreateRequest } from "../api/containers.ts";
import type { EndpointSettings, NetworkCreateRequest } from "../api/networks.ts";
import type { Filters } from "../api/system.ts";
import { invalidArgument } from "../base/errors.ts";
import { changeEndpoint, firstNetwork } from "./create-endpoint.ts";
import { moveInterfaceSysctls } from "./interface-sysctls.ts";
import { type Change, shape } from "./version-change.ts";

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
    // 1.46: TmpfsOptions.Options are new.
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
  moveInterfaceSysctls(request, version);
  moveMacAddress(request);
  return request;
}

/** 1.44 moved the address to the endpoint, where it must be the same if it is given for the container as well. */
function moveMacAddress(request: ContainerCreateRequest): void {
  const { MacAddress } = request;
  const network = firstNetwork(request);
  if (!MacAddress || network === undefined) return;
  changeEndpoint(request, network, (own) => {
    if (own.MacAddress && own.MacAddress !== MacAddress) {
      throw invalidArgument(
        "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty",
      );
    }
    return { ...own, MacAddress };
  });
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
