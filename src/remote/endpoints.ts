/** Where a registry is to be found: its mirrors first, https before http, and http only where that is allowed. */
import { lookup } from "node:dns/promises";
import { existsSync, readFileSync } from "node:fs";
import { BlockList, isIP } from "node:net";
import { defaultDomain } from "../oci/reference.ts";

export interface RegistryConfig {
  /** URLs of mirrors of the Docker Hub. */
  mirrors: string[];
  /** `host[:port]` or CIDR: http and unverified certificates are fine there. 127.0.0.0/8, ::1 and localhost always are. */
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

/**
 * http and unverified certificates are fine. A name is what its addresses are: in a network that the administrator called insecure by any
 * name service, on loopback only by this host's own file. Whoever forges answers of DNS must not be able to take TLS off a pull.
 */
export async function isInsecure(
  domain: string,
  { insecure }: RegistryConfig,
  names: Names = hostNames,
): Promise<boolean> {
  if (insecure.includes(domain)) return true;
  const host = domain.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  if (host === "localhost") return true;
  const cidrs = blockList(insecure.filter((entry) => entry.includes("/")));
  if (isIP(host) !== 0) return includes(loopback, host) || includes(cidrs, host);
  if (names.ofFile(host).some((address) => includes(loopback, address) || includes(cidrs, address))) return true;
  return cidrs.rules.length > 0 && (await names.lookUp(host)).some((address) => includes(cidrs, address));
}

/** What names of hosts stand for. */
export interface Names {
  /** By `/etc/hosts`. */
  ofFile(host: string): string[];
  /** By whatever the host asks; none if nothing answers. */
  lookUp(host: string): Promise<string[]>;
}

const hostNames: Names = {
  ofFile: (host) => (existsSync("/etc/hosts") ? addressesIn(readFileSync("/etc/hosts", "utf8"), host) : []),
  lookUp: async (host) => (await lookup(host, { all: true }).catch(() => [])).map(({ address }) => address),
};

/** The addresses of a name in a hosts file. */
export function addressesIn(file: string, host: string): string[] {
  const entries = file.split("\n").map((line) => line.replace(/#.*/, "").trim().split(/\s+/));
  return entries.flatMap(([address = "", ...names]) => (names.includes(host) && isIP(address) ? [address] : []));
}

const loopback = blockList(["127.0.0.0/8", "::1/128"]);

function blockList(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [net = "", bits] = cidr.split("/");
    if (isIP(net)) list.addSubnet(net, Number(bits), isIP(net) === 4 ? "ipv4" : "ipv6");
  }
  return list;
}

function includes(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 4 ? "ipv4" : "ipv6");
}

/** In the order in which they are to be tried. Mirrors serve pulls only. */
export async function endpointsOf(
  domain: string,
  config: RegistryConfig,
  purpose: "pull" | "push",
  names?: Names,
): Promise<Endpoint[]> {
  const isHub = hostOf(domain) === hubHost;
  const mirrorUrls = isHub && purpose === "pull" ? config.mirrors : [];
  const mirrors = await Promise.all(mirrorUrls.map((url) => mirrorEndpoint(url, config, names)));
  const host = hostOf(domain);
  if (isHub || !(await isInsecure(domain, config, names)))
    return [...mirrors, { url: `https://${host}`, secure: true, mirror: false }];
  return [
    { url: `https://${host}`, secure: false, mirror: false },
    { url: `http://${host}`, secure: false, mirror: false },
  ];
}

async function mirrorEndpoint(url: string, config: RegistryConfig, names?: Names): Promise<Endpoint> {
  const secure = !(await isInsecure(new URL(url).host, config, names));
  return { url: url.replace(/\/+$/, ""), secure, mirror: true };
}
