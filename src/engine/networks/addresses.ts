/** Which address a container gets: the lowest free one, as Docker does it, or the one it asks for. Pure. */
import { forbidden, invalidArgument, unavailable } from "../../base/errors.ts";
import { ipv4Number, ipv4Text, parsePrefix, prefixContains, prefixSize } from "../../linux/inet.ts";

/**
 * Throws `unavailable` in Docker's words when none is left. The network's and the broadcast address are never given. `range`: the
 * part of the subnet to choose from.
 */
export function lowestFreeAddress(
  subnet: string,
  taken: ReadonlySet<string>,
  network: string,
  range: string = subnet,
): string {
  const whole = parsePrefix(subnet);
  const part = parsePrefix(range);
  const first = Math.max(part.base, whole.base + 1);
  const last = Math.min(part.base + prefixSize(part.length), whole.base + prefixSize(whole.length) - 1);
  for (let address = first; address < last; address++) {
    const text = ipv4Text(address);
    if (!taken.has(text)) return text;
  }
  throw unavailable(`no available IPv4 addresses on this network's address pools: ${network}`);
}

/** The address that the user asks for. Throws `forbidden` when another has it, `invalid-argument` outside of the subnet. */
export function requestedAddress(subnet: string, taken: ReadonlySet<string>, wanted: string): string {
  if (!prefixContains(parsePrefix(subnet), ipv4Number(wanted))) {
    throw invalidArgument(`no configured subnet contains IP address ${wanted}`);
  }
  if (taken.has(wanted)) throw forbidden("Address already in use");
  return wanted;
}
