/**
 * A bridge's one nftables ruleset, written once; a published port is then one element of a map. Pure.
 *
 *   input        a container may answer the host's loopback addresses, but not speak to them (route_localnet would let it) or as one of them
 *   prerouting   from outside or a container to an address of the host → published → the container
 *   output       from the host itself, 127.0.0.1 included             → published → the container
 *   forward      in: only what was published or belongs to a connection; out: all but loopback addresses
 *   postrouting  masquerade what leaves the bridge, what comes from the host's loopback, and what returns to its own bridge
 *
 * Published ports of version 4 stand in `published` (on every address of the host) or `published_at` (on one), those of version 6 in
 * `published6` and `published6_at`; ports that are reached by the container's own address in `open` and `open6`.
 */
import { addressBytes, type Family, familyOf } from "../../../linux/inet.ts";
import type { MapElement } from "../../../linux/nft/nftables.ts";
import type { GatewayMode } from "../settings/network-options.ts";
import type { Protocol, PublishedPort } from "./port-bindings.ts";

export interface FamilyRules {
  family: Family;
  subnet: string;
  mode: GatewayMode;
  /** Published ports are reached by the containers' own addresses as well. */
  direct?: boolean | undefined;
  masquerade: boolean;
  /** What leaves has this address from then on; undefined: the outgoing interface's. */
  source?: string | undefined;
}

export interface RulesetOptions {
  table: string;
  bridge: string;
  families: readonly FamilyRules[];
  /** Whether containers reach each other's unpublished ports. */
  icc: boolean;
  /** Nothing enters or leaves the bridge but what the host itself sends and receives. */
  internal?: boolean | undefined;
  /** Interfaces of the host from which every port is reached. */
  trusted?: readonly string[] | undefined;
  /** Versions that the daemon writes rules for: what is of others passes, and is not translated. */
  filtered?: readonly Family[] | undefined;
  /** False: answers of version 6 cannot come back to the host's loopback, and clients had better know at once. */
  loopback6: boolean;
  /** Only what comes in there is translated, and what INPUT lets through is marked: see gate.ts. undefined: all is translated. */
  gate?: { entry: string; mark: number } | undefined;
}

const refuseLoopback6 = [
  "ip6 daddr ::1 meta l4proto tcp meta l4proto . th dport @keys6 reject with tcp reset",
  "ip6 daddr ::1 meta l4proto . th dport @keys6 reject",
].join("\n    ");

/** A published port and the container's address of the same family. */
export type PortTarget = PublishedPort & { ip: string };
/** How published ports of a version are reached: on the host's addresses, on the container's own, or both. */
export interface Reach {
  translated: boolean;
  open: boolean;
}
export type Reaches = Partial<Record<Family, Reach>>;

export const anyAddresses: Record<Family, string> = { 4: "0.0.0.0", 6: "::" };
const protocolNumbers: Record<Protocol, number> = { tcp: 6, udp: 17, sctp: 132 };
const words = {
  4: { suffix: "", ip: "ip", type: "ipv4_addr", echo: "icmp type echo-request", loopback: "127.0.0.0/8" },
  6: { suffix: "6", ip: "ip6", type: "ipv6_addr", echo: "icmpv6 type echo-request", loopback: "::1" },
} as const;

/** Replaces the table as a whole, in one transaction: connections under way are not disturbed. */
export function renderRuleset(options: RulesetOptions, ports: readonly PortTarget[]): string {
  const { table, bridge, icc, internal = false, trusted = [], families, loopback6, gate } = options;
  const { filtered = [4, 6] } = options;
  const unfiltered = ([4, 6] as const).filter((family) => !filtered.includes(family));
  const enclosure = internal
    ? [`iifname "${bridge}" oifname != "${bridge}" drop`, `oifname "${bridge}" iifname != "${bridge}" drop`]
    : [];
  return `
table inet ${table} { }
delete table inet ${table}
table inet ${table} {
  ${filtered.map((family) => renderMaps(family, ports, reachesOf(families))).join("\n  ")}
  chain publish {
    ${lines(filtered, (family) => translations(family))}
  }
  chain loopback {
    type filter hook output priority -150; policy accept;
    ${loopback6 || unfiltered.includes(6) ? "" : refuseLoopback6}
  }
  chain input {
    type filter hook input priority raw; policy accept;
    iifname "${bridge}" ip daddr ${words[4].loopback} ct state != { established, related } drop
    iifname "${bridge}" ip saddr ${words[4].loopback} drop
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr 127.0.0.0/8 return comment "a neighbour must not reach ports published on loopback"
    ${gate ? `iifname "${gate.entry}"` : "fib daddr type local"} jump publish
  }
  ${gate ? marking(gate, filtered) : ""}
  chain output {
    type nat hook output priority -100; policy accept;
    fib daddr type local jump publish
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ${unfiltered.map((family) => `meta nfproto ipv${family} accept`).join("\n    ")}
    ${enclosure.join("\n    ")}
    oifname != "${bridge}" goto leaving
    ct state established,related accept
    ip saddr ${words[4].loopback} drop
    ct status dnat accept
    iifname "${bridge}" ${icc ? "accept" : "drop"}
    ${trusted.map((name) => `iifname "${name}" accept`).join("\n    ")}
    ${lines(families, (rules) => openings(rules))}
    drop
  }
  chain leaving {
    ip saddr ${words[4].loopback} iifname "${bridge}" drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ${lines(families, (rules) => sources(rules, bridge))}
  }
}
`;
}

/**
 * The elements that publish these ports of the container; without their values they are keys to delete. Each port's host address is of
 * the container address's family.
 */
export function publishElements(ports: readonly PortTarget[], reaches: Reaches): MapElement[] {
  return [
    ...ports.filter((port) => isTranslated(port, reaches)).flatMap(translationElements),
    ...openElements(ports, reaches),
  ];
}

/** Those by which containers' own addresses are reached: several published ports may lead to one. */
export function openElements(ports: readonly PortTarget[], reaches: Reaches): MapElement[] {
  const own = ports.filter((port) => isOpen(port, reaches));
  const unique = new Map(own.map((port) => [openText(port), port]));
  return [...unique.values()].map((port) => ({
    map: `open${words[familyOf(port.ip)].suffix}`,
    key: Buffer.concat([protocolBytes(port), containerBytes(port)]),
  }));
}

function translationElements(port: PortTarget): MapElement[] {
  const at = isAny(port) ? Buffer.alloc(0) : addressBytes(port.hostIp);
  const key = Buffer.concat([protocolBytes(port), at, portBytes(port.hostPort)]);
  const map = mapOf(port);
  return [
    { map, key, value: containerBytes(port) },
    { map: map.replace("published", "keys"), key },
  ];
}

export function reachesOf(families: readonly FamilyRules[]): Reaches {
  const reach = ({ mode, direct = false }: FamilyRules): Reach => ({
    translated: mode !== "routed",
    open: mode === "routed" || (mode === "nat" && direct),
  });
  return Object.fromEntries(families.map((rules) => [rules.family, reach(rules)]));
}

function isTranslated(port: PortTarget, reaches: Reaches): boolean {
  return reaches[familyOf(port.ip)]?.translated ?? true;
}

function isOpen(port: PortTarget, reaches: Reaches): boolean {
  return reaches[familyOf(port.ip)]?.open ?? false;
}

function renderMaps(family: Family, ports: readonly PortTarget[], reaches: Reaches): string {
  const { suffix, type } = words[family];
  const all = ports.filter(({ ip }) => familyOf(ip) === family);
  const translated = all.filter((port) => isTranslated(port, reaches));
  const map = (name: string, types: string) => {
    const own = translated.filter((port) => mapOf(port) === name);
    return `map ${name} {
    type ${types}
    ${elementsText(own.map((port) => `${keyText(port)} : ${port.ip} . ${port.containerPort}`))}
  }
  set ${name.replace("published", "keys")} {
    type ${types.replace(/ : .*/, "")}
    ${elementsText(own.map(keyText))}
  }`;
  };
  return [
    map(`published${suffix}`, `inet_proto . inet_service : ${type} . inet_service`),
    map(`published${suffix}_at`, `inet_proto . ${type} . inet_service : ${type} . inet_service`),
    `set open${suffix} {
    type inet_proto . ${type} . inet_service
    ${elementsText(all.filter((port) => isOpen(port, reaches)).map(openText))}
  }`,
  ].join("\n  ");
}

function elementsText(elements: readonly string[]): string {
  return elements.length === 0 ? "" : `elements = { ${[...new Set(elements)].join(", ")} }`;
}

/** After the host's own rules for INPUT; the packet's copy comes in by the gate, without the mark. */
function marking({ entry, mark }: { entry: string; mark: number }, filtered: readonly Family[]): string {
  const mine = `iifname != "${entry}" ct state new`;
  const rules = filtered.flatMap((family) => {
    const { suffix, ip } = words[family];
    return [
      `${mine} meta nfproto ipv${family} meta l4proto . ${ip} daddr . th dport @keys${suffix}_at meta mark set ${mark}`,
      `${mine} meta nfproto ipv${family} fib daddr type local meta l4proto . th dport @keys${suffix} meta mark set ${mark}`,
    ];
  });
  return `chain admitted {
    type filter hook input priority 299; policy accept;
    ${rules.join("\n    ")}
  }
  chain unmark {
    type filter hook prerouting priority raw; policy accept;
    iifname "${entry}" meta mark ${mark} meta mark set 0
  }`;
}

function mapOf(port: PortTarget): string {
  const { suffix } = words[familyOf(port.ip)];
  return isAny(port) ? `published${suffix}` : `published${suffix}_at`;
}

function keyText(port: PortTarget): string {
  return `${port.protocol} . ${isAny(port) ? "" : `${port.hostIp} . `}${port.hostPort}`;
}

function openText({ protocol, ip, containerPort }: PortTarget): string {
  return `${protocol} . ${ip} . ${containerPort}`;
}

function translations(family: Family): string[] {
  const { suffix, ip } = words[family];
  return [
    `meta nfproto ipv${family} dnat ${ip} to meta l4proto . ${ip} daddr . th dport map @published${suffix}_at`,
    `meta nfproto ipv${family} dnat ${ip} to meta l4proto . th dport map @published${suffix}`,
  ];
}

/** What may come in without having been translated. */
function openings({ family, mode, direct = false }: FamilyRules): string[] {
  const { suffix, ip, echo } = words[family];
  if (mode === "nat-unprotected") return [`meta nfproto ipv${family} accept`];
  const published = `meta l4proto . ${ip} daddr . th dport @open${suffix} accept`;
  if (mode === "routed") return [published, `${echo} accept`];
  return mode === "nat" && direct ? [published] : [];
}

function sources({ family, subnet, masquerade, source }: FamilyRules, bridge: string): string[] {
  const { ip, loopback } = words[family];
  const translation = source === undefined ? "masquerade" : `snat ${ip} to ${source}`;
  return [
    ...(masquerade ? [`${ip} saddr ${subnet} oifname != "${bridge}" ${translation}`] : []),
    `oifname "${bridge}" ${ip} saddr ${loopback} masquerade`,
    `oifname "${bridge}" ${ip} saddr ${subnet} ct status dnat masquerade`,
  ];
}

function lines<T>(entries: readonly T[], write: (entry: T) => string[]): string {
  return entries.flatMap(write).join("\n    ");
}

function isAny({ hostIp }: PublishedPort): boolean {
  return hostIp === anyAddresses[4] || hostIp === anyAddresses[6];
}

function protocolBytes({ protocol }: PortTarget): Buffer {
  return padded(Buffer.from([protocolNumbers[protocol]]));
}

function containerBytes({ ip, containerPort }: PortTarget): Buffer {
  return Buffer.concat([addressBytes(ip), portBytes(containerPort)]);
}

function portBytes(port: number): Buffer {
  return padded(Buffer.from([port >> 8, port & 255]));
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes], 4);
}
