/** Where a registry is to be found: its mirrors first, https before http, and http only where that is allowed. */
import { BlockList, isIP } from "node:net";
import { defaultDomain } from "../oci/reference.ts";

export interface RegistryConfig {
  /** URLs of mirrors of the Docker Hub. */
  mirrors: string[];
  /** `host[:port]` or CIDR: http and unverified certificates are fine. 127.0.0.0/8, ::1 and localhost always are. */
  insecure: string[];
}

export interface Endpoint {
  /** `https://host:port`, without a slash at the end. */
  url: string;
  /** Certificates are verified. */
  secure: boolean;
  mirror: boolean;
}

const hubHost = "registry-1.docker.io";

/** The host that serves the repositories of a domain. */
export function hostOf(domain: string): string {
  return domain === defaultDomain || domain === "index.docker.io" ? hubHost : domain;
}

export function isInsecure(domain: string, { insecure }: RegistryConfig): boolean {
  if (insecure.includes(domain)) return true;
  const host = domain.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  if (host === "localhost") return true;
  const kind = isIP(host);
  if (kind === 0) return false;
  const list = new BlockList();
  list.addSubnet("127.0.0.0", 8, "ipv4");
  list.addAddress("::1", "ipv6");
  for (const cidr of insecure) {
    const [net = "", bits] = cidr.split("/");
    if (bits !== undefined && isIP(net)) list.addSubnet(net, Number(bits), isIP(net) === 4 ? "ipv4" : "ipv6");
  }
  return list.check(host, kind === 4 ? "ipv4" : "ipv6");
}

/** In the order in which they are to be tried. Mirrors serve pulls only. */
export function endpointsOf(domain: string, config: RegistryConfig, purpose: "pull" | "push"): Endpoint[] {
  const isHub = hostOf(domain) === hubHost;
  const mirrors = isHub && purpose === "pull" ? config.mirrors.map((url) => mirrorEndpoint(url, config)) : [];
  const host = hostOf(domain);
  if (isHub || !isInsecure(domain, config))
    return [...mirrors, { url: `https://${host}`, secure: true, mirror: false }];
  return [
    { url: `https://${host}`, secure: false, mirror: false },
    { url: `http://${host}`, secure: false, mirror: false },
  ];
}

function mirrorEndpoint(url: string, config: RegistryConfig): Endpoint {
  return { url: url.replace(/\/+$/, ""), secure: !isInsecure(new URL(url).host, config), mirror: true };
}
