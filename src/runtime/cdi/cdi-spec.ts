/**
 * Files that describe devices for containers, `nvidia.com/gpu=0`: what each changes in a container's runtime spec. Read at each use, as
 * vendors' tools write them while the daemon runs. Source: Container Device Interface 1.0, SPEC.md.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errorCode, errorMessage } from "../../base/errors.ts";

export interface CdiDeviceNode {
  path: string;
  hostPath?: string;
  type?: string;
  major?: number;
  minor?: number;
  /** Permission bits. */
  fileMode?: number;
  /** `rwm`. */
  permissions?: string;
  uid?: number;
  gid?: number;
}

export interface CdiHook {
  hookName: string;
  path: string;
  args?: string[];
  env?: string[];
  timeout?: number;
}

export interface ContainerEdits {
  env?: string[];
  deviceNodes?: CdiDeviceNode[];
  hooks?: CdiHook[];
  mounts?: { hostPath: string; containerPath: string; options?: string[]; type?: string }[];
  additionalGids?: number[];
  intelRdt?: object;
  netDevices?: object[];
}

/** One device: the edits of its own, and those that its file wants once for all of its devices. */
export interface CdiDevice {
  name: string;
  edits: ContainerEdits;
  /** The same object for all devices of a file. */
  common: ContainerEdits;
}

interface CdiFile {
  cdiVersion: string;
  kind: string;
  containerEdits?: ContainerEdits;
  devices?: { name: string; containerEdits?: ContainerEdits }[];
}

export interface CdiDevices {
  /** By qualified name, `vendor.com/class=name`, sorted. */
  devices: Map<string, CdiDevice>;
  /** Files that could not be read, and names that two files of one directory claim. */
  problems: string[];
}

/** Of two directories with one device the later counts. A directory need not be there. */
export function readCdiDevices(directories: readonly string[]): CdiDevices {
  const found = new Map<string, CdiDevice>();
  const problems: string[] = [];
  for (const directory of directories) {
    const here = new Map<string, CdiDevice>();
    const claimed = new Set<string>();
    for (const file of filesOf(directory)) {
      try {
        for (const device of devicesOf(readFileSync(file, "utf8"))) {
          if (here.has(device.name)) claimed.add(device.name);
          here.set(device.name, device);
        }
      } catch (error) {
        problems.push(`${file}: ${errorMessage(error)}`);
      }
    }
    for (const name of claimed) {
      problems.push(`${directory}: conflicting device ${JSON.stringify(name)}`);
      here.delete(name);
    }
    for (const [name, device] of here) found.set(name, device);
  }
  return { devices: new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1))), problems };
}

function filesOf(directory: string): string[] {
  try {
    const names = readdirSync(directory).filter((name) => /\.(json|yaml|yml)$/.test(name));
    return names.sort().map((name) => join(directory, name));
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return [];
    throw error;
  }
}

/** YAML is a superset of JSON. Throws for what is no such file. */
function devicesOf(text: string): CdiDevice[] {
  const file = Bun.YAML.parse(text) as Partial<CdiFile> | null;
  const { kind, cdiVersion, devices = [], containerEdits: common = {} } = file ?? {};
  if (typeof cdiVersion !== "string") throw new Error("invalid CDI Spec: no cdiVersion");
  if (typeof kind !== "string" || !/^[A-Za-z][\w.-]*\/[A-Za-z][\w-]*$/.test(kind)) {
    throw new Error(`invalid CDI Spec: invalid kind ${JSON.stringify(kind)}`);
  }
  return devices.map(({ name, containerEdits: edits = {} }) => {
    if (!/^[A-Za-z0-9][\w.:-]*$/.test(String(name))) throw new Error(`invalid device name ${JSON.stringify(name)}`);
    return { name: `${kind}=${name}`, edits, common };
  });
}
