/** What is wrong with a container's settings for a network, in dockerd's words. Pure. */
import type { EndpointSettings } from "../../api/networks.ts";
import { ipv4Number, isIpv4, parsePrefix, prefixContains } from "../../linux/inet.ts";
import { predefinedNames } from "./endpoint-plan.ts";
import { isIpv6 } from "./network-mode.ts";
import type { NetworkRecord } from "./network-store.ts";

/** Empty when all is well. */
export function endpointProblems(network: NetworkRecord, settings: EndpointSettings): string[] {
  const { IPv4Address: ipv4 = "", IPv6Address: ipv6 = "" } = settings.IPAMConfig ?? {};
  const problems: string[] = [];
  if (predefinedNames.includes(network.name)) {
    if (ipv4 || ipv6) problems.push("user specified IP address is supported on user defined networks only");
    if ((settings.Aliases ?? []).length > 0) {
      problems.push("network-scoped alias is supported only for containers in user defined networks");
    }
  }
  if (ipv4 && !isIpv4(ipv4)) problems.push(`invalid IPv4 address: ${ipv4}`);
  if (ipv6 && !isIpv6(ipv6)) problems.push(`invalid IPv6 address: ${ipv6}`);
  if (ipv4) problems.push(...placeProblems(ipv4, network.userSubnet ? network.ipam.map(({ subnet }) => subnet) : []));
  // No network has a subnet of version 6 yet.
  if (ipv6) problems.push(...placeProblems(ipv6, []));
  return problems;
}

function placeProblems(ip: string, subnets: readonly string[]): string[] {
  if (subnets.length === 0) {
    return ["user specified IP address is supported only when connecting to networks with user configured subnets"];
  }
  const fits = isIpv4(ip) && subnets.some((subnet) => prefixContains(parsePrefix(subnet), ipv4Number(ip)));
  return fits ? [] : [`no configured subnet or ip-range contain the IP address ${ip}`];
}
