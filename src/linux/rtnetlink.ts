/**
 * Links, addresses and routes by rtnetlink(7), without any process. Synchronous; errors are SyscallErrors with the kernel's errno.
 * Deleting links blocks for tens of milliseconds: only in a thread made for that.
 */
import { ipv4Bytes, ipv4Text, macBytes, macText } from "./inet.ts";
import {
  attribute,
  messageFlags,
  type NetlinkRequest,
  NetlinkSocket,
  nestedAttribute,
  netlinkRoute,
  parseAttributes,
  textAttribute,
  u8Attribute,
  u32Attribute,
} from "./netlink.ts";

const types = {
  newLink: 16,
  deleteLink: 17,
  getLink: 18,
  newAddress: 20,
  deleteAddress: 21,
  getAddress: 22,
  newRoute: 24,
  deleteRoute: 25,
  getRoute: 26,
} as const;
const linkAttributes = {
  address: 1,
  name: 3,
  mtu: 4,
  master: 10,
  linkInfo: 18,
  alias: 20,
  afSpec: 26,
  netnsFd: 28,
} as const;
const [infoKind, infoData, infoSlaveKind, infoSlaveData] = [1, 2, 4, 5];
const [vethPeer, bridgePortHairpin, bridgePortIsolated] = [1, 4, 33];
const [iffUp, afInet, afInet6] = [1, 2, 10];
const inet6AddressGenerationMode = 8;

export interface Link {
  index: number;
  name: string;
  up: boolean;
  mtu: number;
  address: string;
  /** Index of the bridge that this link is a port of; 0: none. */
  master: number;
  alias: string;
  /** `bridge`, `veth`, …; empty for physical links and lo. */
  kind: string;
}

/** What to change of a link; what is absent stays. */
export interface LinkChange {
  up?: boolean | undefined;
  name?: string | undefined;
  address?: string | undefined;
  mtu?: number | undefined;
  /** Index of a bridge; 0 takes the link out of it. */
  master?: number | undefined;
  alias?: string | undefined;
  /** False: the kernel gives the link no IPv6 link-local address. */
  ipv6LinkLocal?: boolean | undefined;
  /** How a bridge port treats frames. */
  port?: { hairpin: boolean; isolated: boolean } | undefined;
}

export interface VethRequest {
  name: string;
  mtu: number;
  /** Index of the bridge that the near end becomes a port of. */
  master?: number;
  peer: { name: string; netnsFd?: number };
}

export interface Route {
  /** `0.0.0.0` with prefix 0 for the default route. */
  destination: string;
  prefix: number;
  gateway: string | undefined;
  /** Index of the link. */
  link: number;
}

export class RouteSocket implements Disposable {
  private readonly socket = new NetlinkSocket(netlinkRoute);

  /** Throws EEXIST when a link of that name exists. */
  createBridge(name: string, change: LinkChange = {}): void {
    this.create(`bridge ${name}`, [
      textAttribute(linkAttributes.name, name),
      ...linkChangeAttributes(change),
      nestedAttribute(linkAttributes.linkInfo, textAttribute(infoKind, "bridge")),
    ]);
  }

  /** Makes a pair, its far end at once in the other namespace. Throws EEXIST when a link of that name exists. */
  createVeth({ name, mtu, master, peer }: VethRequest): void {
    const far = Buffer.concat([
      linkHeader(0),
      textAttribute(linkAttributes.name, peer.name),
      u32Attribute(linkAttributes.mtu, mtu),
      ...(peer.netnsFd === undefined ? [] : [u32Attribute(linkAttributes.netnsFd, peer.netnsFd)]),
    ]);
    const data = nestedAttribute(infoData, attribute(vethPeer, far));
    this.create(`veth ${name}`, [
      textAttribute(linkAttributes.name, name),
      ...linkChangeAttributes({ mtu, master }),
      nestedAttribute(linkAttributes.linkInfo, textAttribute(infoKind, "veth"), data),
    ]);
  }

  setLink(index: number, change: LinkChange): void {
    this.socket.request(setLinkRequest(index, change), `set link ${index}`);
  }

  /** Blocks for tens of milliseconds. Throws ENODEV when there is none. */
  deleteLink(index: number): void {
    this.socket.request({ type: types.deleteLink, flags: 0, body: linkHeader(index) }, `delete link ${index}`);
  }

  findLink(name: string): Link | undefined {
    const body = Buffer.concat([linkHeader(0), textAttribute(linkAttributes.name, name)]);
    try {
      const [message] = this.socket.query({ type: types.getLink, flags: 0, body }, `get link ${name}`);
      return message && parseLink(message.body);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENODEV") return undefined;
      throw error;
    }
  }

  /** Throws ENODEV when there is none. */
  getLink(name: string): Link {
    const body = Buffer.concat([linkHeader(0), textAttribute(linkAttributes.name, name)]);
    const [message] = this.socket.query({ type: types.getLink, flags: 0, body }, `get link ${name}`);
    if (!message) throw new Error(`netlink: no answer about link ${name}`);
    return parseLink(message.body);
  }

  listLinks(): Link[] {
    const request = { type: types.getLink, flags: messageFlags.dump, body: linkHeader(0) };
    return this.socket.query(request, "list links").map(({ body }) => parseLink(body));
  }

  /** Throws EEXIST when the link has the address already. */
  addAddress(link: number, ip: string, prefix: number): void {
    this.socket.request(addAddressRequest(link, ip, prefix), `add address ${ip}/${prefix}`);
  }

  deleteAddress(link: number, ip: string, prefix: number): void {
    const { body } = addAddressRequest(link, ip, prefix);
    this.socket.request({ type: types.deleteAddress, flags: 0, body }, `delete address ${ip}/${prefix}`);
  }

  listAddresses(): { link: number; address: string; prefix: number }[] {
    const request = {
      type: types.getAddress,
      flags: messageFlags.dump,
      body: Buffer.from([afInet, 0, 0, 0, 0, 0, 0, 0]),
    };
    return this.socket.query(request, "list addresses").flatMap(({ body }) => {
      const attributes = parseAttributes(body.subarray(8));
      const ip = attributes.get(2) ?? attributes.get(1);
      if (body[0] !== afInet || !ip) return [];
      return [{ link: body.readUInt32LE(4), address: ipv4Text(ip.readUInt32BE(0)), prefix: body[1] ?? 0 }];
    });
  }

  addDefaultRoute(link: number, gateway: string): void {
    this.socket.request(addDefaultRouteRequest(link, gateway), `add default route via ${gateway}`);
  }

  /** Takes away every IPv4 default route of the main table. */
  deleteDefaultRoutes(): void {
    for (const { prefix, link, gateway } of this.listRoutes()) {
      if (prefix !== 0 || gateway === undefined) continue;
      const { body } = addDefaultRouteRequest(link, gateway);
      this.socket.request({ type: types.deleteRoute, flags: 0, body }, `delete default route via ${gateway}`);
    }
  }

  /** IPv4 routes of the main table. */
  listRoutes(): Route[] {
    const body = Buffer.alloc(12);
    body[0] = afInet;
    const request = { type: types.getRoute, flags: messageFlags.dump, body };
    return this.socket.query(request, "list routes").flatMap(({ body: route }) => {
      if (route[0] !== afInet || route[4] !== 254) return [];
      const attributes = parseAttributes(route.subarray(12));
      const [destination, gateway] = [attributes.get(1), attributes.get(5)];
      return [
        {
          destination: ipv4Text(destination?.readUInt32BE(0) ?? 0),
          prefix: route[1] ?? 0,
          gateway: gateway && ipv4Text(gateway.readUInt32BE(0)),
          link: attributes.get(4)?.readUInt32LE(0) ?? 0,
        },
      ];
    });
  }

  /** Gives a link its MAC, address and (unless the gateway is empty) default route in one system call. */
  configure(
    link: number,
    { mac, ip, prefix, gateway }: { mac: string; ip: string; prefix: number; gateway: string },
  ): void {
    const requests = [
      setLinkRequest(link, { address: mac, up: true }),
      addAddressRequest(link, ip, prefix),
      ...(gateway === "" ? [] : [addDefaultRouteRequest(link, gateway)]),
    ];
    this.socket.batch(requests, `configure link ${link} as ${ip}/${prefix}`);
  }

  [Symbol.dispose](): void {
    this.socket[Symbol.dispose]();
  }

  private create(what: string, attributes: Buffer[]): void {
    const flags = messageFlags.create | messageFlags.exclusive;
    const body = Buffer.concat([linkHeader(0), ...attributes]);
    this.socket.request({ type: types.newLink, flags, body }, `create ${what}`);
  }
}

/** struct ifinfomsg */
function linkHeader(index: number, flags = 0, change = 0): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  header.writeUInt32LE(flags, 8);
  header.writeUInt32LE(change, 12);
  return header;
}

function setLinkRequest(index: number, change: LinkChange): NetlinkRequest {
  const header = linkHeader(index, change.up ? iffUp : 0, change.up === undefined ? 0 : iffUp);
  return { type: types.newLink, flags: 0, body: Buffer.concat([header, ...linkChangeAttributes(change)]) };
}

function linkChangeAttributes(change: LinkChange): Buffer[] {
  const attributes: Buffer[] = [];
  if (change.name !== undefined) attributes.push(textAttribute(linkAttributes.name, change.name));
  if (change.address !== undefined) attributes.push(attribute(linkAttributes.address, macBytes(change.address)));
  if (change.mtu !== undefined) attributes.push(u32Attribute(linkAttributes.mtu, change.mtu));
  if (change.master !== undefined) attributes.push(u32Attribute(linkAttributes.master, change.master));
  if (change.alias !== undefined) attributes.push(textAttribute(linkAttributes.alias, change.alias));
  if (change.ipv6LinkLocal !== undefined) {
    const mode = u8Attribute(inet6AddressGenerationMode, change.ipv6LinkLocal ? 0 : 1);
    attributes.push(nestedAttribute(linkAttributes.afSpec, nestedAttribute(afInet6, mode)));
  }
  if (change.port !== undefined) {
    const flag = (type: number, value: boolean) => u8Attribute(type, value ? 1 : 0);
    const { hairpin, isolated } = change.port;
    const data = nestedAttribute(infoSlaveData, flag(bridgePortHairpin, hairpin), flag(bridgePortIsolated, isolated));
    attributes.push(nestedAttribute(linkAttributes.linkInfo, textAttribute(infoSlaveKind, "bridge"), data));
  }
  return attributes;
}

function addAddressRequest(link: number, ip: string, prefix: number): NetlinkRequest {
  const header = Buffer.alloc(8);
  header[0] = afInet;
  header[1] = prefix;
  header.writeUInt32LE(link, 4);
  const bytes = ipv4Bytes(ip);
  const broadcast = Buffer.alloc(4);
  broadcast.writeUInt32BE((bytes.readUInt32BE(0) | (prefix >= 31 ? 0 : 0xffffffff >>> prefix)) >>> 0);
  const body = Buffer.concat([header, attribute(2, bytes), attribute(1, bytes), attribute(4, broadcast)]);
  return { type: types.newAddress, flags: messageFlags.create | messageFlags.exclusive, body };
}

/** struct rtmsg: main table (254), protocol boot (3), universe, unicast (1). */
function addDefaultRouteRequest(link: number, gateway: string): NetlinkRequest {
  const header = Buffer.from([afInet, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0]);
  const body = Buffer.concat([header, attribute(5, ipv4Bytes(gateway)), u32Attribute(4, link)]);
  return { type: types.newRoute, flags: messageFlags.create | messageFlags.exclusive, body };
}

function parseLink(body: Buffer): Link {
  const attributes = parseAttributes(body.subarray(16));
  const text = (type: number) => attributes.get(type)?.toString("utf8").replace(/\0.*$/s, "") ?? "";
  const info = attributes.get(linkAttributes.linkInfo);
  const kind = info && parseAttributes(info).get(infoKind);
  return {
    index: body.readInt32LE(4),
    name: text(linkAttributes.name),
    up: (body.readUInt32LE(8) & iffUp) !== 0,
    mtu: attributes.get(linkAttributes.mtu)?.readUInt32LE(0) ?? 0,
    address: macText(attributes.get(linkAttributes.address) ?? new Uint8Array()),
    master: attributes.get(linkAttributes.master)?.readUInt32LE(0) ?? 0,
    alias: text(linkAttributes.alias),
    kind: kind?.toString("utf8").replace(/\0.*$/s, "") ?? "",
  };
}
