/**
 * Sysctls of a container's interface: before API 1.48 they could be among the container's (`net.ipv4.conf.eth0.log_martians`), although
 * the interface is not there yet when those are written; since then only a network's endpoint has them.
 */
import type { ContainerCreateRequest } from "../api/containers.ts";
import { invalidArgument } from "../base/errors.ts";
import { goQuote } from "../base/go-quote.ts";
import { changeEndpoint, firstNetwork } from "./create-endpoint.ts";

const driverOption = "com.docker.network.endpoint.sysctls";

/** Edits the request, whose first network's interface is eth0. Throws `invalid-argument` with dockerd's words. */
export function moveInterfaceSysctls(request: ContainerCreateRequest, version: number): void {
  const host = request.HostConfig ?? {};
  const network = firstNetwork(request);
  if (network === undefined) return;
  const moved: string[] = [];
  for (const [name, value] of Object.entries(host.Sysctls ?? {})) {
    const match = /^net\.(ipv4|ipv6|mpls)\.([^.]+)\.(eth\d+)\.(.+)$/.exec(name);
    if (!match) continue;
    if (version >= 48) {
      throw invalidArgument(
        `interface specific sysctl setting ${goQuote(name)} must be supplied using driver option '${driverOption}'`,
      );
    }
    const [, protocol, group, link, setting] = match;
    if (link !== "eth0") {
      throw invalidArgument(
        `unable to determine network endpoint for sysctl ${name}, use driver option '${driverOption}' to set per-interface sysctls`,
      );
    }
    moved.push(`net.${protocol}.${group}.IFNAME.${setting}=${value}`);
    delete host.Sysctls?.[name];
  }
  if (moved.length > 0) addSysctls(request, network, moved);
}

function addSysctls(request: ContainerCreateRequest, network: string, sysctls: string[]): void {
  changeEndpoint(request, network, (own) => {
    const all = [own.DriverOpts?.[driverOption], ...sysctls].filter(Boolean).join(",");
    return { ...own, DriverOpts: { ...own.DriverOpts, [driverOption]: all } };
  });
}
