/** `--network` with its older companions (`--network-alias`, `--ip`, `--link` …) → the endpoints of a create request. */
import { type EndpointSettings, emptyEndpoint } from "../../../api/networks.ts";
import { goQuote } from "../../../base/go-quote.ts";
import { emptyAttachment, type NetworkAttachment } from "./network-kind.ts";

/** The flags that apply to the first network. */
export interface EndpointFlags {
  readonly networks: readonly NetworkAttachment[];
  readonly aliases: readonly string[];
  readonly links: readonly string[];
  readonly ip: string;
  readonly ip6: string;
  readonly macAddress: string;
  readonly linkLocalIps: readonly string[];
}

export function networkMode(networks: readonly NetworkAttachment[]): string {
  return networks[0]?.target ?? "default";
}

export function isUserDefined(mode: string): boolean {
  return (
    !["default", "bridge", "host", "none"].includes(mode) && !mode.startsWith("container:") && mode !== "container"
  );
}

/** Throws an Error with Docker's message on conflicting options. */
export function parseEndpoints(flags: EndpointFlags): Record<string, EndpointSettings> {
  const [first, ...others] = flags.networks;
  if (!first) return { default: toEndpoint(withFlags(emptyAttachment("default"), flags)) };
  const endpoints: Record<string, EndpointSettings> = {};
  const firstEndpoint = toEndpoint(withFlags(first, flags));
  // A single plain network is left to the daemon, which old ones expect.
  if (others.length > 0 || JSON.stringify(firstEndpoint) !== JSON.stringify(emptyEndpoint)) {
    endpoints[first.target] = firstEndpoint;
  }
  for (const attachment of others) {
    if (Object.hasOwn(endpoints, attachment.target)) {
      throw new Error(`network ${goQuote(attachment.target)} is specified multiple times`);
    }
    endpoints[attachment.target] = toEndpoint(attachment);
  }
  const kinds = new Set(flags.networks.map((attachment) => isUserDefined(attachment.target)));
  if (kinds.size > 1) {
    throw new Error("conflicting options: cannot attach both user-defined and non-user-defined network-modes");
  }
  return endpoints;
}

const conflict = (option: string, own: string) =>
  new Error(`conflicting options: cannot specify both ${option} and per-network ${own}`);

function withFlags(attachment: NetworkAttachment, flags: EndpointFlags): NetworkAttachment {
  const { aliases, links, ip, ip6, macAddress, linkLocalIps } = flags;
  if (attachment.aliases.length > 0 && aliases.length > 0) throw conflict("--network-alias", "alias");
  if (attachment.links.length > 0 && links.length > 0) throw conflict("--link", "links");
  if (attachment.ip !== "" && ip !== "") throw conflict("--ip", "IPv4 address");
  if (attachment.ip6 !== "" && ip6 !== "") throw conflict("--ip6", "IPv6 address");
  if (attachment.macAddress !== "" && macAddress !== "") throw conflict("--mac-address", "MAC address");
  if (attachment.linkLocalIps.length > 0 && linkLocalIps.length > 0) {
    throw conflict("--link-local-ip", "link-local IP addresses");
  }
  // On a user-defined network a link is an alias of the endpoint; on the default bridge it is the container's.
  const linked = isUserDefined(attachment.target) && links.length > 0;
  return {
    ...attachment,
    aliases: aliases.length > 0 ? [...aliases] : attachment.aliases,
    links: linked ? [...links] : attachment.links,
    ip: ip || attachment.ip,
    ip6: ip6 || attachment.ip6,
    macAddress: macAddress || attachment.macAddress,
    linkLocalIps: linkLocalIps.length > 0 ? [...linkLocalIps] : attachment.linkLocalIps,
  };
}

function toEndpoint(attachment: NetworkAttachment): EndpointSettings {
  const { target, aliases, links, driverOpts, ip, ip6, linkLocalIps, macAddress, gwPriority } = attachment;
  if (target.trim() === "") throw new Error("no name set for network");
  if (!isUserDefined(target)) {
    if (aliases.length > 0) throw new Error("network-scoped aliases are only supported for user-defined networks");
    if (links.length > 0) throw new Error("links are only supported for user-defined networks");
  }
  if (macAddress !== "" && !isMacAddress(macAddress)) throw new Error(`${macAddress} is not a valid mac address`);
  const hasIpam = ip !== "" || ip6 !== "" || linkLocalIps.length > 0;
  return {
    ...emptyEndpoint,
    IPAMConfig: hasIpam
      ? {
          ...(ip === "" ? {} : { IPv4Address: ip }),
          ...(ip6 === "" ? {} : { IPv6Address: ip6 }),
          ...(linkLocalIps.length === 0 ? {} : { LinkLocalIPs: linkLocalIps }),
        }
      : null,
    Links: links.length > 0 ? links : null,
    Aliases: aliases.length > 0 ? aliases : null,
    DriverOpts: Object.keys(driverOpts).length > 0 ? driverOpts : null,
    MacAddress: macAddress,
    GwPriority: gwPriority,
  };
}

/** Go's net.ParseMAC: 6, 8 or 20 octets with colons, hyphens or dots. */
export function isMacAddress(text: string): boolean {
  const octets = /^[\da-f]{2}([:-][\da-f]{2})+$/i.test(text) ? text.split(/[:-]/).length : 0;
  const words = /^[\da-f]{4}(\.[\da-f]{4})+$/i.test(text) ? text.split(".").length * 2 : 0;
  return [6, 8, 20].includes(octets || words);
}
