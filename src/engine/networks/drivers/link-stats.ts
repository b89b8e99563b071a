/** Traffic counters of a container's interfaces, as `docker stats` wants them. */
import { readFileSync } from "node:fs";
import type { NetworkStats } from "../../../api/stats.ts";
import { errorCode } from "../../../base/errors.ts";

/** Per interface (not lo) of the process's network namespace. Empty when the process is gone. Takes microseconds. */
export function linkStats(pid: number): Record<string, NetworkStats> {
  try {
    return parseNetDev(readFileSync(`/proc/${pid}/net/dev`, "utf8"));
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "EINVAL" || errorCode(error) === "ESRCH") return {};
    throw error;
  }
}

/** proc(5), /proc/net/dev: two lines of headings, then `name: 8 receive counters, 8 transmit counters`. */
export function parseNetDev(text: string): Record<string, NetworkStats> {
  const stats: Record<string, NetworkStats> = {};
  for (const line of text.split("\n").slice(2)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).trim();
    if (colon < 0 || name === "lo") continue;
    const fields = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    const [rx = [], tx = []] = [fields.slice(0, 4), fields.slice(8, 12)];
    stats[name] = {
      rx_bytes: rx[0] ?? 0,
      rx_packets: rx[1] ?? 0,
      rx_errors: rx[2] ?? 0,
      rx_dropped: rx[3] ?? 0,
      tx_bytes: tx[0] ?? 0,
      tx_packets: tx[1] ?? 0,
      tx_errors: tx[2] ?? 0,
      tx_dropped: tx[3] ?? 0,
    };
  }
  return stats;
}
