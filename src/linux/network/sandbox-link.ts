/** A container's interface inside its namespace: its name, addresses and settings. Synchronous. */
import { existsSync } from "node:fs";
import { type EngineError, errorCode, errorMessage, internal } from "../../base/errors.ts";
import { familyOf, macBytes } from "../inet.ts";
import type { Announcements } from "./announcement.ts";
import { writeIpv6Setting, writeNetSysctl } from "./net-sysctl.ts";
import { withNetns } from "./netns.ts";
import type { LinkChange, RouteSocket } from "./rtnetlink.ts";
import type { DefaultRoute, LinkAddress } from "./rtnetlink-addresses.ts";

/** What an interface is to be called. */
export interface InterfaceName {
  /** Exactly so; else `prefix` and the lowest free number. */
  name?: string | undefined;
  prefix: string;
}

export interface SandboxAddress {
  /** The file that names the namespace. */
  path: string;
  /** What errors call the interface. */
  label: string;
  interface: InterfaceName;
  /** Empty: the link has none of its own to choose. */
  mac: string;
  addresses: LinkAddress[];
  /** Default routes by way of this link. */
  routes: DefaultRoute[];
  /** `net.ipv4.conf.IFNAME.log_martians=1`, in which IFNAME stands for the interface. */
  sysctls: string[];
  announcements: Announcements;
}

export const standardPrefix = "eth";

/**
 * The name for an interface, given those of the others than `own`. Throws `internal` in dockerd's words for one that it cannot have.
 */
export function freeName({ name, prefix }: InterfaceName, label: string, socket: RouteSocket, own?: string): string {
  const taken = new Set(socket.listLinks().map((link) => link.name));
  if (own !== undefined) taken.delete(own);
  let number = 0;
  while (!name && taken.has(`${prefix}${number}`)) number++;
  const chosen = name ?? `${prefix}${number}`;
  checkName(chosen, label, taken);
  return chosen;
}

/** What the kernel would say. */
function checkName(name: string, label: string, taken: ReadonlySet<string>): void {
  const problem = taken.has(name)
    ? "file exists"
    : Buffer.byteLength(name) > 15
      ? "numerical result out of range"
      : /[\s/:%]/.test(name) || name === "." || name === ".."
        ? "invalid argument"
        : undefined;
  if (problem) throw notAdded(label, `error renaming interface "${label}" to ${JSON.stringify(name)}: ${problem}`);
}

function notAdded(label: string, why: string): EngineError {
  return internal(`failed to add interface ${label} to sandbox: ${why}`);
}

/**
 * Brings the interface into its final state, up. `socket` belongs to the namespace. An interface of version 4 only must have had
 * `silenceIpv6` before it was up for the first time.
 */
export function configureLink(
  socket: RouteSocket,
  link: number,
  name: string,
  change: LinkChange,
  address: SandboxAddress,
): void {
  const { path, label, mac, addresses, routes, sysctls } = address;
  if (mac !== "" && ((macBytes(mac)[0] ?? 0) & 1) === 1) {
    throw notAdded(label, `error setting interface "${label}" MAC to "${mac}": cannot assign requested address`);
  }
  const setup = { ...change, ...(mac === "" ? {} : { address: mac }), up: true };
  if (addresses.some(({ ip }) => familyOf(ip) === 6)) {
    // After the MAC, from which the link's own address derives.
    socket.setLink(link, setup);
    withNetns(path, () => speakIpv6(name));
    socket.configure(link, {}, address);
  } else socket.configure(link, setup, { addresses, routes });
  if (sysctls.length > 0) withNetns(path, () => writeSysctls(name, label, sysctls));
}

/** On a kernel without IPv6 there is nothing to switch off. */
export function silenceIpv6(name: string): void {
  writeIpv6Setting(name, "disable_ipv6", "1", { wanted: false });
}

/** Routes come from the daemon: another container could announce itself as a router. Nor does anybody else have its addresses. */
function speakIpv6(name: string): void {
  writeIpv6Setting(name, "accept_ra", "0");
  writeIpv6Setting(name, "accept_dad", "0");
  writeIpv6Setting(name, "disable_ipv6", "0");
}

function writeSysctls(name: string, label: string, sysctls: readonly string[]): void {
  for (const entry of sysctls) {
    const [key = "", ...rest] = entry.split("=");
    if (rest.length === 0) throw notAdded(label, `expected sysctl '${key}' to have format name=value`);
    const [, version = "", group = "", , setting = ""] = key.split(".");
    const path = `${version}/${group}/${name}/${key.split(".").slice(4).join(".")}`;
    const file = `/proc/sys/net/${path}`;
    // A setting's name has no dots or slashes, which might lead out of the interface's own.
    if (!/^[\w-]+$/.test(`${version}${group}${setting}`) || key.split(".").length !== 5 || !existsSync(file)) {
      throw notAdded(label, `${file} is not a sysctl file`);
    }
    try {
      writeNetSysctl(path, rest.join("="));
    } catch (error) {
      throw notAdded(label, `unable to write to '${file}': write ${file}: ${errorWords(error)}`);
    }
  }
}

function errorWords(error: unknown): string {
  return errorCode(error) === "EINVAL" ? "invalid argument" : errorMessage(error);
}
