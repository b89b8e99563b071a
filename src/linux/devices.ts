/** Device nodes of the host. */
import { readdirSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "../base/errors.ts";

export interface DeviceNode {
  path: string;
  type: "c" | "b";
  major: number;
  minor: number;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
}

/** The node at a path, links followed; undefined when that is no device. Throws what stat(2) throws (`ENOENT`). */
export function readDevice(path: string): DeviceNode | undefined {
  return toDevice(path, statSync(path));
}

function toDevice(path: string, stats: Stats): DeviceNode | undefined {
  const type = stats.isCharacterDevice() ? "c" : stats.isBlockDevice() ? "b" : undefined;
  if (type === undefined) return undefined;
  const { uid, gid } = stats;
  return { path, type, ...deviceNumbers(stats.rdev), mode: stats.mode & 0o7777, uid, gid };
}

/** glibc's packing of dev_t. */
export function deviceNumbers(rdev: number): { major: number; minor: number } {
  const packed = BigInt(rdev);
  const major = ((packed >> 8n) & 0xfffn) | ((packed >> 32n) & 0xfffff000n);
  const minor = (packed & 0xffn) | ((packed >> 12n) & 0xffffff00n);
  return { major: Number(major), minor: Number(minor) };
}

/** What a privileged container does not get of /dev: its own (pts, shm, mqueue), consoles, and lists of file descriptors. */
const skippedFolders = new Set(["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"]);

/** Every device node below a folder, links left out, as `docker run --privileged` and `--device FOLDER` give them. */
export function devicesBelow(folder: string): DeviceNode[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return skippedFolders.has(entry.name) ? [] : devicesBelow(path);
    if (entry.name === "console" || !(entry.isCharacterDevice() || entry.isBlockDevice())) return [];
    const node = readDeviceIfThere(path);
    // 0:0 is overlayfs's whiteout, no device.
    return node === undefined || (node.major === 0 && node.minor === 0) ? [] : [node];
  });
}

function readDeviceIfThere(path: string): DeviceNode | undefined {
  try {
    return readDevice(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
