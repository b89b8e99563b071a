/** The three files that a container finds in /etc: resolv.conf, hosts and hostname. Written as dockerd writes them. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorCode, invalidArgument } from "../../../base/errors.ts";
import { parseExtraHost } from "../settings/network-mode.ts";
import { nameServerAddress, parseResolvConf, type ResolvConf, renderResolvConf } from "./resolv-conf.ts";

export interface NetworkFilesRequest {
  /** Existing directory that the files are written into. */
  directory: string;
  hostname: string;
  domainname?: string | undefined;
  extraHosts?: readonly string[] | null | undefined;
  /** The container's own addresses; none for host and none mode. */
  addresses: readonly string[];
  /** Linked containers: their names (alias, hostname, name) and address. */
  links?: readonly { names: readonly string[]; ip: string }[] | undefined;
  dns?: readonly string[] | null | undefined;
  dnsSearch?: readonly string[] | null | undefined;
  dnsOptions?: readonly string[] | null | undefined;
  mode: "bridge" | "host" | "none";
  /** False: the container has switched version 6 off. */
  ipv6?: boolean | undefined;
  /** True: names are resolved by the daemon's own name service, at 127.0.0.11. */
  nameService?: boolean | undefined;
}

export interface NetworkFilesDefaults {
  dns?: readonly string[] | undefined;
  dnsSearch?: readonly string[] | undefined;
  dnsOptions?: readonly string[] | undefined;
  /** What `host-gateway` means; empty: it cannot be used. */
  hostGateways: readonly string[];
}

const etcResolvConf = "/etc/resolv.conf";
const systemdResolvConf = "/run/systemd/resolve/resolv.conf";
const hostsHead = "127.0.0.1\tlocalhost";
const hostsHead6 = [
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::\tip6-localnet",
  "ff00::\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
];

/** Writes the files in place (running containers have them bind mounted). Throws dockerd's errors. */
export function writeNetworkFiles(request: NetworkFilesRequest, defaults: NetworkFilesDefaults): void {
  const { directory, mode } = request;
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text, { mode: 0o644 });
  write("hostname", `${request.hostname}\n`);
  write("hosts", hostsText(request, defaults.hostGateways));
  const pick = (own: readonly string[] | null | undefined, common: readonly string[] | undefined) =>
    own && own.length > 0 ? own : common;
  const { path, conf } = readHostResolvConf(mode !== "host");
  const text = renderResolvConf({
    host: conf,
    hostPath: path,
    dns: pick(request.dns, defaults.dns),
    dnsSearch: pick(request.dnsSearch, defaults.dnsSearch),
    dnsOptions: pick(request.dnsOptions, defaults.dnsOptions),
    isolated: mode !== "host",
    nameService: request.nameService,
  });
  write("resolv.conf", text);
}

/**
 * Follows a running container's networks: `gone` addresses leave its hosts file, `added` ones come with its name; what else was
 * written there stays. With `nameService` its resolv.conf is written anew for it.
 */
export function amendNetworkFiles(
  request: NetworkFilesRequest,
  defaults: NetworkFilesDefaults,
  { gone, added }: { gone: readonly string[]; added: readonly string[] },
): void {
  const hosts = join(request.directory, "hosts");
  const kept = readIfThere(hosts)
    .split("\n")
    .filter((line) => line !== "" && !gone.includes(line.split("\t")[0] ?? ""));
  writeFileSync(hosts, `${[...kept, ...added.map((address) => ownLine(request, address))].join("\n")}\n`);
  const resolvConf = join(request.directory, "resolv.conf");
  const isServed = readIfThere(resolvConf).includes(nameServerAddress);
  if (request.nameService && !isServed) {
    const pick = (own: readonly string[] | null | undefined, common: readonly string[] | undefined) =>
      own && own.length > 0 ? own : common;
    const { path, conf } = readHostResolvConf(true);
    const dns = pick(request.dns, defaults.dns);
    const dnsSearch = pick(request.dnsSearch, defaults.dnsSearch);
    const dnsOptions = pick(request.dnsOptions, defaults.dnsOptions);
    const resolved = { host: conf, hostPath: path, dns, dnsSearch, dnsOptions, isolated: true, nameService: true };
    writeFileSync(resolvConf, renderResolvConf(resolved));
  }
}

/** The host's name servers, those of systemd-resolved where the host only names its local stub. */
export function readHostNameservers(): string[] {
  return readHostResolvConf(true).conf.nameservers;
}

export function hostsText(request: NetworkFilesRequest, hostGateways: readonly string[]): string {
  const extraHosts = request.extraHosts ?? [];
  if (request.mode === "host" && extraHosts.length === 0) return readIfThere("/etc/hosts");
  const extra = extraHosts.flatMap((entry) => {
    const { name, address } = parseExtraHost(entry);
    if (address !== "host-gateway") return [`${address}\t${name}`];
    if (hostGateways.length === 0) throw invalidArgument(`unable to derive the IP value for host-gateway`);
    return hostGateways.map((gateway) => `${gateway}\t${name}`);
  });
  const links = (request.links ?? []).map(({ names, ip }) => `${ip}\t${names.join(" ")}`);
  const own = request.addresses.map((address) => ownLine(request, address));
  const head = request.ipv6 === false ? [hostsHead] : [hostsHead, ...hostsHead6];
  return `${[...head, ...extra, ...links, ...own].join("\n")}\n`;
}

function ownLine(request: NetworkFilesRequest, address: string): string {
  const name = fullName(request);
  const short = name.split(".")[0] ?? name;
  return `${address}\t${name === short ? name : `${name} ${short}`}`;
}

function fullName({ hostname, domainname }: NetworkFilesRequest): string {
  return domainname ? `${hostname}.${domainname}` : hostname;
}

function readHostResolvConf(isolated: boolean): { path: string; conf: ResolvConf } {
  const conf = parseResolvConf(readIfThere(etcResolvConf));
  const isStub = conf.nameservers.length === 1 && conf.nameservers[0] === "127.0.0.53";
  if (!isolated || !isStub) return { path: etcResolvConf, conf };
  const real = readIfThere(systemdResolvConf);
  return real === "" ? { path: etcResolvConf, conf } : { path: systemdResolvConf, conf: parseResolvConf(real) };
}

/** Empty when there is no such file. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return "";
    throw error;
  }
}
