/** Settings of the network namespace that the calling thread is in. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { errorCode, unavailable } from "../../base/errors.ts";
import type { Family } from "../inet.ts";

/** Writes a sysctl (`ipv4/ip_forward`). */
export function writeNetSysctl(name: string, value: string): void {
  writeFileSync(`/proc/sys/net/${name}`, value);
}

/** False on a kernel that was built or started without version 6. */
export function hasIpv6(): boolean {
  return existsSync("/proc/sys/net/ipv6/conf/all");
}

/**
 * A link's setting, `all` being one. On a kernel without IPv6 it is `unavailable` if IPv6 is `wanted`, else there is nothing to do;
 * and so on a link whose MTU is too small for it.
 */
export function writeIpv6Setting(link: string, setting: string, value: string, { wanted = true } = {}): void {
  if (!hasIpv6()) {
    if (wanted) throw unavailable("IPv6 is disabled on this host: the kernel runs without it");
    return;
  }
  try {
    writeNetSysctl(`ipv6/conf/${link}/${setting}`, value);
  } catch (cause) {
    if (errorCode(cause) !== "ENOENT") throw cause;
    if (wanted) throw unavailable(`${link} cannot speak IPv6: that takes an MTU of 1280 or more`, { cause });
  }
}

/**
 * Whether frames between ports of a bridge pass the IP hooks, so that the ruleset's forward chain can tell published from other
 * traffic. Isolated ports would then stop both, for br_netfilter rewrites and bridges what otherwise is routed.
 */
export function isBridgeFiltered(family: Family = 4): boolean {
  const program = family === 4 ? "iptables" : "ip6tables";
  try {
    return readFileSync(`/proc/sys/net/bridge/bridge-nf-call-${program}`, "utf8").trim() === "1";
  } catch {
    return false;
  }
}
