/** The endpoint of a container's first network in the request that creates it: where older clients' fields for the whole container belong. */
import type { ContainerCreateRequest } from "../api/containers.ts";
import type { EndpointSettings } from "../api/networks.ts";

/** The network; undefined: the container has none of its own. */
export function firstNetwork({ HostConfig: host }: ContainerCreateRequest): string | undefined {
  const mode = host?.NetworkMode || "default";
  return /^(?:none$|host$|container:)/.test(mode) ? undefined : mode;
}

export function changeEndpoint(
  request: ContainerCreateRequest,
  network: string,
  change: (own: EndpointSettings) => EndpointSettings,
): void {
  const endpoints = { ...request.NetworkingConfig?.EndpointsConfig };
  endpoints[network] = change(endpoints[network] ?? {});
  request.NetworkingConfig = { ...request.NetworkingConfig, EndpointsConfig: endpoints };
}
