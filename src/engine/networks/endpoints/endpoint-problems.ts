/** What is wrong with a container's settings for a network, in dockerd's words. Pure. */
import type { EndpointSettings } from "../../../api/networks.ts";
import { type Family, findFamily, isIpv4, isIpv6, parsePrefix, prefixContains } from "../../../linux/inet.ts";
import { poolsOf } from "../addresses/network-pools.ts";
import type { NetworkRecord } from "../network-store.ts";
import { sysctlsOf } from "./endpoint-link.ts";
import { predefinedNames } from "./endpoint-plan.ts";

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
  if (ipv4) problems.push(...placeProblems(ipv4, givenSubnets(network, 4)));
  if (ipv6) problems.push(...placeProblems(ipv6, givenSubnets(network, 6)));
  problems.push(...sysctlsOf(settings.DriverOpts).flatMap(sysctlProblem));
  return problems;
}

/** Those that the user chose, who may choose addresses in them, too. */
function givenSubnets(network: NetworkRecord, family: Family): string[] {
  if (!network.userSubnet) return [];
  return poolsOf(network, family)
    .filter(({ elected }) => !elected)
    .map(({ subnet }) => subnet);
}

function placeProblems(ip: string, subnets: readonly string[]): string[] {
  if (subnets.length === 0) {
    return ["user specified IP address is supported only when connecting to networks with user configured subnets"];
  }
  const fits = findFamily(ip) && subnets.some((subnet) => prefixContains(parsePrefix(subnet), ip));
  return fits ? [] : [`no configured subnet or ip-range contain the IP address ${ip}`];
}

function sysctlProblem(sysctl: string): string[] {
  const [, version = "", , placeholder = "", setting] = sysctl.split(".");
  const fine = ["ipv4", "ipv6", "mpls"].includes(version) && /^(IFNAME|ifname)$/.test(placeholder) && setting;
  if (fine) return [];
  return [
    `unrecognised network interface sysctl '${sysctl.toLowerCase()}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`,
  ];
}
