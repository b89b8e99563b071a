/** Messages of rtnetlink(7) about addresses and routes of both versions: requests written, answers read. Pure. */
import { addressBytes, bitsOf, bytesText, type Family, familyOf } from "../inet.ts";
import { attribute, messageFlags, type NetlinkRequest, parseAttributes, u32Attribute } from "./netlink.ts";

export const addressTypes = { new: 20, delete: 21, get: 22 } as const;
export const routeTypes = { new: 24, delete: 25, get: 26 } as const;
const addressFamilies: Record<Family, number> = { 4: 2, 6: 10 };
const [mainTable, localTable] = [254, 255];
/** IFA_F_NODAD: the address can be used at once. Nobody else has it, for we gave it out. */
const withoutDetection = 0x02;
const [protocolBoot, scopeUniverse, scopeLink, unicast] = [3, 0, 253, 1];

export interface LinkAddress {
  ip: string;
  /** Length of the link's prefix. */
  prefix: number;
}

/** A way to everywhere. */
export interface DefaultRoute {
  family: Family;
  /** Empty: whatever is on the link itself. */
  via: string;
}

export interface Route {
  /** `0.0.0.0` or `::` with prefix 0 for the default route. */
  destination: string;
  prefix: number;
  gateway: string | undefined;
  /** Index of the link. */
  link: number;
}

export function newAddress(link: number, address: LinkAddress): NetlinkRequest {
  const flags = messageFlags.create | messageFlags.exclusive;
  return { type: addressTypes.new, flags, body: addressBody(link, address) };
}

export function deleteAddress(link: number, address: LinkAddress): NetlinkRequest {
  return { type: addressTypes.delete, flags: 0, body: addressBody(link, address) };
}

export function newRoute(link: number, route: DefaultRoute): NetlinkRequest {
  const flags = messageFlags.create | messageFlags.exclusive;
  return { type: routeTypes.new, flags, body: routeBody(link, route) };
}

/** One address of the host's own, in the table of those. */
export function newLocalRoute(link: number, address: string, metric: number): NetlinkRequest {
  const family = familyOf(address);
  const [length, scope, local] = [bitsOf(family), 254, 2];
  const header = Buffer.from([
    addressFamilies[family],
    length,
    0,
    0,
    localTable,
    protocolBoot,
    scope,
    local,
    0,
    0,
    0,
    0,
  ]);
  const destination = attribute(1, addressBytes(address));
  const flags = messageFlags.create | messageFlags.exclusive;
  const body = Buffer.concat([header, destination, u32Attribute(4, link), u32Attribute(6, metric)]);
  return { type: routeTypes.new, flags, body };
}

export function deleteRoute(link: number, route: DefaultRoute): NetlinkRequest {
  return { type: routeTypes.delete, flags: 0, body: routeBody(link, route) };
}

/** struct ifaddrmsg, for a dump of all addresses. */
export function addressDump(): NetlinkRequest {
  return { type: addressTypes.get, flags: messageFlags.dump, body: Buffer.alloc(8) };
}

/** struct rtmsg, for a dump of all routes. */
export function routeDump(): NetlinkRequest {
  return { type: routeTypes.get, flags: messageFlags.dump, body: Buffer.alloc(12) };
}

/** undefined: of another kind than versions 4 and 6. */
export function readAddress(body: Buffer): (LinkAddress & { link: number }) | undefined {
  const attributes = parseAttributes(body.subarray(8));
  const bytes = attributes.get(2) ?? attributes.get(1);
  if (!isKnown(body[0]) || !bytes) return undefined;
  return { link: body.readUInt32LE(4), ip: bytesText(bytes), prefix: body[1] ?? 0 };
}

/** undefined: of another kind than versions 4 and 6, or not of the main table. */
export function readRoute(body: Buffer): Route | undefined {
  if (!isKnown(body[0]) || body[4] !== mainTable) return undefined;
  const attributes = parseAttributes(body.subarray(12));
  const [destination, gateway] = [attributes.get(1), attributes.get(5)];
  return {
    destination: bytesText(destination ?? Buffer.alloc(body[0] === addressFamilies[4] ? 4 : 16)),
    prefix: body[1] ?? 0,
    gateway: gateway && bytesText(gateway),
    link: attributes.get(4)?.readUInt32LE(0) ?? 0,
  };
}

function isKnown(family: number | undefined): boolean {
  return family === addressFamilies[4] || family === addressFamilies[6];
}

function addressBody(link: number, { ip, prefix }: LinkAddress): Buffer {
  const family = familyOf(ip);
  const header = Buffer.from([addressFamilies[family], prefix, family === 6 ? withoutDetection : 0, 0, 0, 0, 0, 0]);
  header.writeUInt32LE(link, 4);
  const bytes = addressBytes(ip);
  const parts = [header, attribute(2, bytes), attribute(1, bytes)];
  return Buffer.concat(family === 4 ? [...parts, attribute(4, broadcastOf(bytes, prefix))] : parts);
}

function broadcastOf(address: Buffer, prefix: number): Buffer {
  const broadcast = Buffer.alloc(4);
  broadcast.writeUInt32BE((address.readUInt32BE(0) | (prefix >= 31 ? 0 : 0xffffffff >>> prefix)) >>> 0);
  return broadcast;
}

/** struct rtmsg, and the gateway. */
function routeBody(link: number, { family, via }: DefaultRoute): Buffer {
  const scope = via === "" ? scopeLink : scopeUniverse;
  const header = Buffer.from([
    ...[addressFamilies[family], 0, 0, 0, mainTable, protocolBoot, scope, unicast],
    ...[0, 0, 0, 0],
  ]);
  const gateway = via === "" ? [] : [attribute(5, addressBytes(via))];
  return Buffer.concat([header, ...gateway, u32Attribute(4, link)]);
}
