/** `-v` and `--device`: short path specifications. What names a host path becomes absolute here, because the daemon's folder is another. */
import { posix, resolve } from "node:path";
import type { DeviceMapping } from "../../../api/container-config.ts";

export interface Binds {
  readonly binds: string[];
  /** Mount points without a source: anonymous volumes. */
  readonly volumes: Record<string, object>;
}

/** Throws an Error with Docker's message. Repeated specifications count once. */
export function parseVolumes(specs: readonly string[]): Binds {
  const binds: string[] = [];
  const volumes: Record<string, object> = {};
  for (const spec of new Set(specs)) {
    const source = volumeSource(spec);
    if (source === "") volumes[spec] = {};
    else if (/^[./~]/.test(source)) binds.push(absoluteBind(spec));
    else binds.push(spec);
  }
  return { binds, volumes };
}

/** What stands before the target; empty for `/data` alone. */
function volumeSource(spec: string): string {
  if (spec === "") throw new Error("invalid empty volume spec");
  if (spec.length <= 2) return "";
  const parts = spec.split(":");
  if (parts.length === 1) return "";
  const last = parts.length - 1;
  const empty = parts.findIndex((part, index) => part === "" && index < last);
  if (empty >= 0) throw new Error(`invalid spec: ${spec}: empty section between colons`);
  return parts[0] ?? "";
}

function absoluteBind(spec: string): string {
  const at = spec.indexOf(":");
  const host = spec.slice(0, at);
  return `${host.startsWith(".") ? resolve(host) : host}${spec.slice(at)}`;
}

/** A fully qualified CDI device, `vendor.com/class=name`: the daemon resolves it. */
export function isCdiDevice(text: string): boolean {
  return /^[A-Za-z][\w.-]*[A-Za-z0-9]?\/[A-Za-z][\w.-]*=[A-Za-z0-9][\w.:-]*$/.test(text);
}

/** `/dev/x[:/dev/y][:rwm]`. Throws an Error with Docker's message. */
export function parseDevice(text: string): DeviceMapping {
  const [source = "", second, third, ...more] = text.split(":");
  if (more.length > 0 || source === "") throw new Error(`bad format for path: ${text}`);
  const secondIsMode = third === undefined && second !== undefined && isDeviceMode(second);
  const target = second === undefined || secondIsMode ? source : second;
  const mode = third ?? (secondIsMode ? second : undefined);
  if (third !== undefined && !isDeviceMode(third)) throw new Error(`bad mode specified: ${third}`);
  if (!posix.isAbsolute(target)) throw new Error(`${target} is not an absolute path`);
  const cleaned = third === undefined ? posix.normalize(target).replace(/(.)\/$/, "$1") : target;
  const single = second === undefined || secondIsMode;
  return { PathOnHost: single ? cleaned : source, PathInContainer: cleaned, CgroupPermissions: mode ?? "rwm" };
}

function isDeviceMode(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}
