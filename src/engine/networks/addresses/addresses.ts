/** Which address a container gets: the lowest free one, as Docker does it, or the one it asks for. Pure. */
import { forbidden, invalidArgument, unavailable } from "../../../base/errors.ts";
import {
  addressBytes,
  bytesText,
  numberText,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixSize,
} from "../../../linux/inet.ts";

/**
 * Throws `unavailable` in Docker's words when none is left. What `unusableAddresses` names is never given. `range`: the part of the
 * subnet to choose from.
 */
export function lowestFreeAddress(
  subnet: string,
  taken: ReadonlySet<string>,
  network: string,
  range: string = subnet,
): string {
  const [whole, part] = [parsePrefix(subnet), parsePrefix(range)];
  const found = firstAddress(part.length > whole.length ? part : whole, [taken, unusableAddresses(whole)]);
  if (found !== undefined) return found;
  throw unavailable(`no available IPv${whole.family} addresses on this network's address pools: ${network}`);
}

/** The address that the user asks for. Throws `forbidden` when another has it, `invalid-argument` outside of the subnet. */
export function requestedAddress(subnet: string, taken: ReadonlySet<string>, wanted: string): string {
  const whole = parsePrefix(subnet);
  if (!prefixContains(whole, wanted)) {
    throw invalidArgument(`no configured subnet or ip-range contain the IP address ${wanted}`);
  }
  const address = bytesText(addressBytes(wanted));
  if (taken.has(address) || unusableAddresses(whole).has(address)) throw forbidden("Address already in use");
  return address;
}

/**
 * Of version 4, the network's own address and the broadcast address; subnets of one or two addresses have neither. Of version 6, the
 * first one, which means any router.
 */
export function unusableAddresses(prefix: Prefix): Set<string> {
  const { family, base, length } = prefix;
  if (family === 6) return new Set([numberText(6, base)]);
  if (length >= 31) return new Set();
  return new Set([numberText(4, base), numberText(4, base + prefixSize(prefix) - 1n)]);
}

/** The first address of a range that is not excluded; undefined when there is none. */
export function firstAddress(range: Prefix, excluded: readonly ReadonlySet<string>[]): string | undefined {
  const end = range.base + prefixSize(range);
  for (let address = range.base; address < end; address++) {
    const text = numberText(range.family, address);
    if (!excluded.some((set) => set.has(text))) return text;
  }
  return undefined;
}
