/**
 * What older API versions expect in an answer. The engine speaks the newest; this turns its answers into old ones, exactly as far as
 * dockerd does (which leaves many newer fields in). Each rule stands under the version that brought the change. Source: moby's
 * api/docs/CHANGELOG.md and the answers of dockerd 28.5, version by version. Versions are minor numbers: 44 is 1.44.
 */
import type { ContainerConfig } from "../api/container-config.ts";
import type { ContainerInspect, ContainerSummary } from "../api/containers.ts";
import type { ImageInspect, ImageSummary } from "../api/images.ts";
import type { EndpointSettings } from "../api/networks.ts";
import type { DiskUsage, SystemInfo } from "../api/system.ts";
import { type Change, shape } from "./version-change.ts";

function downgradeEndpoints(endpoints: Record<string, EndpointSettings>, version: number, containerId: string): void {
  if (version >= 45) return;
  // 1.45: the container's short id is no longer among its aliases.
  for (const endpoint of Object.values(endpoints)) {
    if (!endpoint.Aliases || endpoint.Aliases.includes(containerId.slice(0, 12))) continue;
    endpoint.Aliases = [...endpoint.Aliases, containerId.slice(0, 12)];
  }
}

/** 1.46: annotations in lists are new; 1.48: the manifest's descriptor. */
export function downgradeSummary(container: ContainerSummary, version: number): ContainerSummary {
  if (version >= 48) return container;
  const copy = structuredClone(container);
  downgradeEndpoints(copy.NetworkSettings.Networks, version, copy.Id);
  if (version < 46) delete copy.HostConfig.Annotations;
  delete copy.ImageManifestDescriptor;
  return copy;
}

/** 1.48: the manifest's descriptor is new. */
export function downgradeInspect(container: ContainerInspect, version: number): ContainerInspect {
  if (version >= 48) return container;
  const copy = structuredClone(container);
  delete copy.ImageManifestDescriptor;
  downgradeEndpoints(copy.NetworkSettings.Networks, version, copy.Id);
  return copy;
}

/** 1.43: no names is an empty list; before, null, or `<none>` for an image with none of either. 1.44 took VirtualSize away. */
export function downgradeImage(image: ImageSummary, version: number): ImageSummary {
  const { VirtualSize: _, ...rest } = image;
  if (version >= 44) return rest;
  return { ...rest, ...(version < 43 ? oldNames(image) : {}), VirtualSize: image.Size };
}

function oldNames({
  RepoTags: tags,
  RepoDigests: digests,
}: ImageSummary): Pick<ImageSummary, "RepoTags" | "RepoDigests"> {
  if (!tags?.length && !digests?.length) return { RepoTags: ["<none>:<none>"], RepoDigests: ["<none>@<none>"] };
  return { RepoTags: tags?.length ? tags : null, RepoDigests: digests?.length ? digests : null };
}

/** The fields of an image's configuration that are always sent; 1.50 took away those that only a container has. */
const imageConfig: ContainerConfig = {
  User: "",
  Env: null,
  Cmd: null,
  Volumes: null,
  WorkingDir: "",
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};

const containerFields: ContainerConfig = {
  Hostname: "",
  Domainname: "",
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Image: "",
};

/**
 * 1.44 took VirtualSize away, 1.45 Container and ContainerConfig; `userAgent`: docker-compose 1 speaks the newest version and reads
 * ContainerConfig all the same. Without it, it cannot recreate a container (as with dockerd since 25).
 */
export function downgradeImageInspect(image: ImageInspect, version: number, userAgent = ""): ImageInspect {
  const { VirtualSize: _, Container: container, ContainerConfig: containerConfig, ...rest } = image;
  const config = { ...(version < 50 ? containerFields : {}), ...imageConfig, ...image.Config };
  const isOldCompose = userAgent.startsWith("docker-compose/1.");
  const legacy = { ...containerFields, ...imageConfig, ...containerConfig };
  return {
    ...rest,
    Config: config,
    ...(version < 44 ? { VirtualSize: image.Size } : {}),
    ...(version < 45 ? { ...(container ? { Container: container } : {}), ContainerConfig: legacy } : {}),
    ...(isOldCompose ? { ContainerConfig: legacy } : {}),
  };
}

const infoChanges: readonly Change<SystemInfo>[] = [
  {
    // 1.25: security options are lists of key=value; before, bare names.
    before: 25,
    apply: (info) => {
      info.SecurityOptions = info.SecurityOptions.map((option) => /(?:^|,)name=([^,]*)/.exec(option)?.[1] ?? option);
    },
  },
  { before: 42, apply: (info) => Object.assign(info, { KernelMemory: info["MemoryLimit"] }) },
  {
    // 1.44: runtimes have a status.
    before: 44,
    apply: (info) => {
      info.Runtimes = Object.fromEntries(Object.entries(info.Runtimes).map(([name, { path }]) => [name, { path }]));
    },
  },
  { before: 46, apply: (info) => delete info["Containerd"] },
  {
    before: 47,
    apply: (info) => {
      const legacy = { AllowNondistributableArtifactsCIDRs: null, AllowNondistributableArtifactsHostnames: null };
      info["RegistryConfig"] = { ...legacy, ...(info["RegistryConfig"] as object | undefined) };
    },
  },
  {
    // 1.49 took the expected commit away, and brought the firewall.
    before: 49,
    apply: (info) => {
      const commit = info["RuncCommit"] as { ID: string } | undefined;
      info["RuncCommit"] = { ID: commit?.ID ?? "", Expected: commit?.ID ?? "" };
      delete info["FirewallBackend"];
    },
  },
  {
    before: 50,
    apply: (info) => {
      Object.assign(info, { BridgeNfIptables: false, BridgeNfIp6tables: false });
      delete info["DiscoveredDevices"];
    },
  },
];

export function downgradeInfo(info: SystemInfo, version: number): SystemInfo {
  return shape(infoChanges, { ...info }, version);
}

/** 1.31 brought the build cache, 1.42 the types: what is not among those asked for is null. */
export function downgradeDiskUsage(usage: DiskUsage, version: number, types: readonly string[]): object {
  const { BuildCache: cache, BuilderSize: _, ...rest } = usage;
  const asked = <T>(type: string, list: T[]) => (types.length === 0 || types.includes(type) ? list : null);
  const images = usage.Images.map((image) => downgradeImage(image, version));
  const containers = usage.Containers.map((container) => downgradeSummary(container, version));
  return {
    ...rest,
    Images: asked("image", images),
    Containers: asked("container", containers),
    Volumes: asked("volume", usage.Volumes),
    ...(version >= 31 ? { BuildCache: asked("build-cache", cache) } : {}),
  };
}

/** 1.42: output of containers without a terminal says that it is framed. */
export function streamType(multiplexed: boolean, version: number): string {
  return multiplexed && version >= 42
    ? "application/vnd.docker.multiplexed-stream"
    : "application/vnd.docker.raw-stream";
}
