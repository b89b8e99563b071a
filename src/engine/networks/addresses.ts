/** Which address a container gets: the lowest free one, as Docker does it. Pure. */
import { unavailable } from "../../base/errors.ts";
import { ipv4Text, parsePrefix, prefixSize } from "../../linux/inet.ts";

/** Throws `unavailable` in Docker's words when none is left. The network's and the broadcast address are never given. */
export function lowestFreeAddress(subnet: string, taken: ReadonlySet<string>, network: string): string {
  const { base, length } = parsePrefix(subnet);
  const last = base + prefixSize(length) - 1;
  for (let address = base + 1; address < last; address++) {
    const text = ipv4Text(address);
    if (!taken.has(text)) return text;
  }
  throw unavailable(`no available IPv4 addresses on this network's address pools: ${network}`);
}
