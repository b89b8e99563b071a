/** Who this host is: its name and its distribution. */
import { readFileSync } from "node:fs";
import { hostname, machine } from "node:os";

export interface HostIdentity {
  hostname: string;
  /** `Debian GNU/Linux 12 (bookworm)`. */
  operatingSystem: string;
  osVersion: string;
  /** `uname -m`: `x86_64`. */
  machine: string;
}

export function readHostIdentity(paths: readonly string[] = ["/etc/os-release", "/usr/lib/os-release"]): HostIdentity {
  const release = parseOsRelease(firstText(paths));
  return {
    hostname: hostname(),
    operatingSystem: release["PRETTY_NAME"] || "Linux",
    osVersion: release["VERSION_ID"] ?? "",
    machine: machine(),
  };
}

/** Spec: os-release(5). */
export function parseOsRelease(text: string): Record<string, string> {
  const values: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const match = /^([A-Z_0-9]+)=(.*)$/.exec(line.trim());
    if (match)
      values[match[1] as string] = (match[2] as string).replace(/^(["'])(.*)\1$/, "$2").replace(/\\(.)/g, "$1");
  }
  return values;
}

function firstText(paths: readonly string[]): string {
  for (const path of paths) {
    try {
      return readFileSync(path, "utf8");
    } catch {
      // The next place; a host without any is "Linux".
    }
  }
  return "";
}
