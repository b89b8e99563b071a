/**
 * The daemon's one nftables ruleset, written once; a published port is then one element of a map. Pure.
 *
 *   raw          a container may not speak to the host's loopback addresses (route_localnet would let it)
 *   prerouting   from outside or a container to an address of the host → published → the container
 *   output       from the host itself, 127.0.0.1 included             → published → the container
 *   forward      in: only what was published or belongs to a connection; out: all
 *   postrouting  masquerade what leaves the bridge, what comes from the host's loopback, and what returns to its own bridge
 */
import { ipv4Bytes } from "../../linux/inet.ts";
import type { MapElement } from "../../linux/nftables.ts";
import type { Protocol, PublishedPort } from "./port-bindings.ts";

export interface RulesetOptions {
  table: string;
  bridge: string;
  subnet: string;
  masquerade: boolean;
  /** Whether containers reach each other's unpublished ports. */
  icc: boolean;
  /** Nothing enters or leaves the bridge but what the host itself sends and receives. */
  internal?: boolean | undefined;
}

/** Published on every address of the host, and published on one. */
const maps = { any: "published", one: "published_at" } as const;
const anyAddress = "0.0.0.0";
const protocolNumbers: Record<Protocol, number> = { tcp: 6, udp: 17, sctp: 132 };

/** Replaces the table as a whole, in one transaction: connections under way are not disturbed. */
export function renderRuleset(options: RulesetOptions, ports: readonly (PublishedPort & { ip: string })[]): string {
  const { table, bridge, subnet, masquerade, icc, internal = false } = options;
  const enclosure = internal
    ? `iifname "${bridge}" oifname != "${bridge}" drop\n    oifname "${bridge}" iifname != "${bridge}" drop`
    : "";
  const [any, one] = [ports.filter(isAny), ports.filter((port) => !isAny(port))];
  const outgoing = masquerade ? `ip saddr ${subnet} oifname != "${bridge}" masquerade` : "";
  return `
table ip ${table} { }
delete table ip ${table}
table ip ${table} {
  map ${maps.any} {
    type inet_proto . inet_service : ipv4_addr . inet_service
    ${elementsText(any.map((port) => `${port.protocol} . ${port.hostPort} : ${target(port)}`))}
  }
  map ${maps.one} {
    type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service
    ${elementsText(one.map((port) => `${port.protocol} . ${port.hostIp} . ${port.hostPort} : ${target(port)}`))}
  }
  chain publish {
    dnat ip to meta l4proto . ip daddr . th dport map @${maps.one}
    dnat ip to meta l4proto . th dport map @${maps.any}
  }
  chain raw {
    type filter hook prerouting priority raw; policy accept;
    iifname "${bridge}" ip daddr 127.0.0.0/8 drop
    iifname "${bridge}" ip saddr 127.0.0.0/8 drop
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr 127.0.0.0/8 return comment "a neighbour must not reach ports published on loopback"
    fib daddr type local jump publish
  }
  chain output {
    type nat hook output priority -100; policy accept;
    fib daddr type local jump publish
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ${enclosure}
    oifname "${bridge}" ct state established,related accept
    oifname "${bridge}" ct status dnat accept
    oifname "${bridge}" iifname "${bridge}" ${icc ? "accept" : "drop"}
    oifname "${bridge}" drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ${outgoing}
    oifname "${bridge}" ip saddr 127.0.0.0/8 masquerade
    oifname "${bridge}" ip saddr ${subnet} ct status dnat masquerade
  }
}
`;
}

/** The map elements that publish these ports of the container at `ip`; without their values they are keys to delete. */
export function publishElements(ports: readonly PublishedPort[], ip: string): MapElement[] {
  return ports.map((port) => {
    const protocol = padded(Buffer.from([protocolNumbers[port.protocol]]));
    const hostPort = portBytes(port.hostPort);
    const value = Buffer.concat([ipv4Bytes(ip), portBytes(port.containerPort)]);
    if (isAny(port)) return { map: maps.any, key: Buffer.concat([protocol, hostPort]), value };
    return { map: maps.one, key: Buffer.concat([protocol, ipv4Bytes(port.hostIp), hostPort]), value };
  });
}

function isAny({ hostIp }: PublishedPort): boolean {
  return hostIp === anyAddress;
}

function target({ ip, containerPort }: { ip: string; containerPort: number }): string {
  return `${ip} . ${containerPort}`;
}

function elementsText(elements: string[]): string {
  return elements.length === 0 ? "" : `elements = { ${elements.join(", ")} }`;
}

function portBytes(port: number): Buffer {
  return padded(Buffer.from([port >> 8, port & 255]));
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes], 4);
}
