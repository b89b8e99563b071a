/** `docker inspect` of a container. */
import type { ContainerInspect, MountPoint } from "../../../api/containers.ts";
import type { Container } from "../container.ts";
import { type ContainerRecord, commandOf } from "../container-record.ts";
import type { ContainerPaths } from "../paths.ts";
import { toApiState } from "./status.ts";

export interface InspectParts {
  paths: ContainerPaths;
  mounts: MountPoint[];
  links: { linkName: string; target: Container }[];
  graphDriver: ContainerInspect["GraphDriver"];
  sizes?: { SizeRw: number; SizeRootFs: number } | undefined;
}

export function toInspect(
  container: Container,
  { paths, mounts, links, graphDriver, sizes }: InspectParts,
): ContainerInspect {
  const { record } = container;
  const [path = "", ...args] = commandOf(record.config);
  const started = record.state.startedAt !== "0001-01-01T00:00:00Z";
  const file = (name: string) => (started ? name : "");
  const logs = record.hostConfig.LogConfig?.Type ?? "json-file";
  return {
    Id: record.id,
    Created: record.created,
    Path: path,
    Args: args,
    State: toApiState(container),
    Image: record.imageId,
    ResolvConfPath: file(paths.resolvConf(record.id)),
    HostnamePath: file(paths.hostname(record.id)),
    HostsPath: file(paths.hosts(record.id)),
    LogPath: logs === "json-file" && started ? paths.log(record.id) : "",
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: "overlay2",
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: "",
    ExecIDs: container.execIds.size > 0 ? [...container.execIds] : null,
    HostConfig: {
      ...record.hostConfig,
      Links: links.length > 0 ? links.map(({ linkName, target }) => `/${target.record.name}:${linkName}`) : null,
    },
    GraphDriver: graphDriver,
    ...(sizes ?? {}),
    Mounts: mounts,
    Config: { ...record.config, ...macAddress(record) },
    NetworkSettings: record.networkSettings,
  };
}

/** The address that was asked for on the network mode's own network: older clients look for it here. */
function macAddress({ hostConfig, networking }: ContainerRecord): { MacAddress?: string } {
  const endpoints = networking?.EndpointsConfig ?? {};
  const mode = hostConfig.NetworkMode || "default";
  const asked = endpoints[mode === "default" ? "bridge" : mode]?.MacAddress;
  return asked ? { MacAddress: asked } : {};
}
