/** Which address a container gets: the lowest free one, as Docker does it, or the one it asks for. Pure. */
import { forbidden, invalidArgument, unavailable } from "../../base/errors.ts";
import { ipv4Number, ipv4Text, type Prefix, parsePrefix, prefixContains, prefixSize } from "../../linux/inet.ts";

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
  const unusable = unusableAddresses(whole);
  const last = Math.min(part.base + prefixSize(part.length), whole.base + prefixSize(whole.length));
  for (let address = Math.max(part.base, whole.base); address < last; address++) {
    const text = ipv4Text(address);
    if (!taken.has(text) && !unusable.has(text)) return text;
  }
  throw unavailable(`no available IPv4 addresses on this network's address pools: ${network}`);
}

/** The address that the user asks for. Throws `forbidden` when another has it, `invalid-argument` outside of the subnet. */
export function requestedAddress(subnet: string, taken: ReadonlySet<string>, wanted: string): string {
  const whole = parsePrefix(subnet);
  if (!prefixContains(whole, ipv4Number(wanted))) {
    throw invalidArgument(`no configured subnet or ip-range contain the IP address ${wanted}`);
  }
  if (taken.has(wanted) || unusableAddresses(whole).has(wanted)) throw forbidden("Address already in use");
  return wanted;
}

/** The network's own address and the broadcast address; subnets of one or two addresses have neither. */
export function unusableAddresses({ base, length }: Prefix): Set<string> {
  return length >= 31 ? new Set() : new Set([ipv4Text(base), ipv4Text(base + prefixSize(length) - 1)]);
}
