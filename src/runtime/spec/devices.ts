/** Device nodes and the cgroup's device rules: Docker's defaults, --device, --device-cgroup-rule, --privileged. */
import { realpathSync } from "node:fs";
import type { DeviceMapping, DeviceRequest, HostConfig } from "../../api/container-config.ts";
import { errorCode, internal, invalidArgument } from "../../base/errors.ts";
import { type DeviceNode, devicesBelow, readDevice } from "../../linux/devices.ts";
import type { DeviceCgroupRule, SpecDevice } from "../../oci/runtime-spec.ts";

export interface DeviceSetup {
  devices: SpecDevice[];
  rules: DeviceCgroupRule[];
}

/** The runtime itself adds what every container has: null, zero, full, random, urandom, tty, ptmx and the pseudo terminals. */
const defaultRules: readonly DeviceCgroupRule[] = [
  { allow: false, access: "rwm" },
  ...[
    [1, 5],
    [1, 3],
    [1, 9],
    [1, 8],
    [5, 0],
    [5, 1],
  ].map(([major = 0, minor = 0]): DeviceCgroupRule => ({ allow: true, type: "c", major, minor, access: "rwm" })),
  { allow: false, type: "c", major: 10, minor: 229, access: "rwm" },
];

/** Reads the device nodes that are asked for. Throws Docker's messages for those that are not there. */
export function buildDevices(hostConfig: HostConfig): DeviceSetup {
  refuseRequests(hostConfig.DeviceRequests ?? []);
  const mappings = hostConfig.Devices ?? [];
  if (hostConfig.Privileged) {
    const others = mappings.filter((mapping) => mapping.PathOnHost !== mapping.PathInContainer).flatMap(nodesOf);
    const devices = [...devicesBelow("/dev").map(toSpecDevice), ...others.map(({ node }) => toSpecDevice(node))];
    return { devices: unique(devices), rules: [{ allow: true, access: "rwm" }] };
  }
  const nodes = mappings.flatMap(nodesOf);
  return {
    devices: unique(nodes.map(({ node }) => toSpecDevice(node))),
    rules: [
      ...defaultRules,
      ...nodes.map(({ node, access }): DeviceCgroupRule => {
        const { type, major, minor } = node;
        return { allow: true, type, major, minor, access };
      }),
      ...(hostConfig.DeviceCgroupRules ?? []).map(parseDeviceRule),
    ],
  };
}

/** `c 1:* rwm`. Throws Docker's message. */
export function parseDeviceRule(rule: string): DeviceCgroupRule {
  const match = /^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$/.exec(rule);
  if (!match) throw internal(`invalid device cgroup rule format: '${rule}'`);
  const [, type, major, minor, access = ""] = match;
  return {
    allow: true,
    type: type as "a" | "b" | "c",
    ...(major === "*" ? {} : { major: Number(major) }),
    ...(minor === "*" ? {} : { minor: Number(minor) }),
    access,
  };
}

/** No driver for GPUs is built in; CDI's devices are injected into the spec later. */
function refuseRequests(requests: readonly DeviceRequest[]): void {
  const request = requests.find(({ Driver }) => Driver !== "cdi");
  if (request === undefined) return;
  const sets = (request.Capabilities ?? []).map((set) => `[${set.join(" ")}]`).join(" ");
  throw invalidArgument(`could not select device driver "${request.Driver ?? ""}" with capabilities: [${sets}]`);
}

/** A mapping names one node, or a folder of which all nodes are meant. */
function nodesOf(mapping: DeviceMapping): { node: DeviceNode; access: string }[] {
  const { PathOnHost: given = "", PathInContainer: target = given, CgroupPermissions: access = "rwm" } = mapping;
  const fail = (reason: string, cause?: unknown) =>
    internal(`error gathering device information while adding custom device "${given}": ${reason}`, { cause });
  let resolved: string;
  let node: DeviceNode | undefined;
  try {
    resolved = realpathSync(given);
    node = readDevice(resolved);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    throw fail("no such file or directory", error);
  }
  if (node !== undefined) return [{ node: { ...node, path: target }, access }];
  const below = folderNodes(resolved).map((found) => ({
    node: { ...found, path: found.path.replace(resolved, () => target) },
    access,
  }));
  if (below.length === 0) throw fail("not a device node");
  return below;
}

function folderNodes(path: string): DeviceNode[] {
  try {
    return devicesBelow(path);
  } catch (error) {
    if (errorCode(error) === "ENOTDIR") return [];
    throw error;
  }
}

function toSpecDevice({ path, type, major, minor, mode, uid, gid }: DeviceNode): SpecDevice {
  return { path, type, major, minor, fileMode: mode & 0o777, uid, gid };
}

/** The runtime fails on a path that comes twice; the later mapping wins. */
function unique(devices: SpecDevice[]): SpecDevice[] {
  return [...new Map(devices.map((device) => [device.path, device])).values()];
}
