/**
 * Links, addresses and routes by rtnetlink(7), without any process. Synchronous; errors are SyscallErrors with the kernel's errno.
 * Deleting links blocks for tens of milliseconds: only in a thread made for that.
 */
import { macBytes, macText } from "../inet.ts";
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
  u16Attribute,
  u32Attribute,
} from "./netlink.ts";
import {
  addressDump,
  type DefaultRoute,
  deleteAddress,
  deleteRoute,
  type LinkAddress,
  newAddress,
  newLocalRoute,
  newRoute,
  type Route,
  readAddress,
  readRoute,
  routeDump,
} from "./rtnetlink-addresses.ts";

const types = { newLink: 16, deleteLink: 17, getLink: 18 } as const;
const linkAttributes = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  linkInfo: 18,
  alias: 20,
  afSpec: 26,
  netnsFd: 28,
} as const;
const [infoKind, infoData, infoSlaveKind, infoSlaveData] = [1, 2, 4, 5];
const [vethPeer, bridgePortHairpin, bridgePortIsolated] = [1, 4, 33];
const [iffUp, iffNoArp, afInet6] = [1, 0x80, 10];
const inet6AddressGenerationMode = 8;
const vlanId = 1;
/** MACVLAN_MODE_*, IPVLAN_MODE_* and IPVLAN_F_*. */
const macvlanModes: Record<string, number> = { private: 1, vepa: 2, bridge: 4, passthru: 8 };
const ipvlanModes: Record<string, number> = { l2: 0, l3: 1, l3s: 2 };
const ipvlanFlags: Record<string, number> = { bridge: 0, private: 1, vepa: 2 };

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
  /** False: nobody is asked for the address of a neighbour; frames go to the link's own. */
  arp?: boolean | undefined;
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

export interface ChildRequest {
  kind: "macvlan" | "ipvlan";
  name: string;
  /** Index of the parent. */
  parent: number;
  /** Of the namespace that it belongs to. */
  netnsFd: number;
  mode: string;
  /** ipvlan's. */
  flag: string;
  /** 0: the parent's. */
  mtu: number;
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

  /** Throws EEXIST, or EOPNOTSUPP on a kernel without them. */
  createDummy(name: string): void {
    this.createKind("dummy", [textAttribute(linkAttributes.name, name)], []);
  }

  /** A VLAN of a link (IEEE 802.1Q). Throws EEXIST, or EOPNOTSUPP on a kernel without them. */
  createVlan(name: string, link: number, id: number): void {
    const attributes = [textAttribute(linkAttributes.name, name), u32Attribute(linkAttributes.link, link)];
    this.createKind("vlan", attributes, [u16Attribute(vlanId, id)]);
  }

  /** An interface over a parent, at once in another namespace. Throws EINVAL, EBUSY, or EOPNOTSUPP on a kernel without them. */
  createChild({ kind, name, parent, netnsFd, mode, flag, mtu }: ChildRequest): void {
    const data =
      kind === "macvlan"
        ? [u32Attribute(1, macvlanModes[mode] ?? 0)]
        : [u16Attribute(1, ipvlanModes[mode] ?? 0), u16Attribute(2, ipvlanFlags[flag] ?? 0)];
    const attributes = [
      textAttribute(linkAttributes.name, name),
      u32Attribute(linkAttributes.link, parent),
      ...(mtu > 0 ? [u32Attribute(linkAttributes.mtu, mtu)] : []),
      u32Attribute(linkAttributes.netnsFd, netnsFd),
    ];
    this.createKind(kind, attributes, data);
  }

  private createKind(kind: string, attributes: Buffer[], data: Buffer[]): void {
    const info = nestedAttribute(
      linkAttributes.linkInfo,
      textAttribute(infoKind, kind),
      ...(data.length > 0 ? [nestedAttribute(infoData, ...data)] : []),
    );
    this.create(kind, [...attributes, info]);
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
  addAddress(link: number, address: LinkAddress): void {
    this.socket.request(newAddress(link, address), `add address ${address.ip}/${address.prefix}`);
  }

  deleteAddress(link: number, address: LinkAddress): void {
    this.socket.request(deleteAddress(link, address), `delete address ${address.ip}/${address.prefix}`);
  }

  listAddresses(): (LinkAddress & { link: number })[] {
    return this.socket.query(addressDump(), "list addresses").flatMap(({ body }) => readAddress(body) ?? []);
  }

  addDefaultRoute(link: number, route: DefaultRoute): void {
    this.socket.request(newRoute(link, route), `add default route via ${route.via || link}`);
  }

  deleteDefaultRoute(link: number, route: DefaultRoute): void {
    this.socket.request(deleteRoute(link, route), `delete default route via ${route.via || link}`);
  }

  /** Packets to the address that come by this link are for the host itself. Throws EEXIST when that is so already. */
  addLocalRoute(link: number, address: string, metric: number): void {
    this.socket.request(newLocalRoute(link, address, metric), `add local route to ${address}`);
  }

  /** Routes of the main table. */
  listRoutes(): Route[] {
    return this.socket.query(routeDump(), "list routes").flatMap(({ body }) => readRoute(body) ?? []);
  }

  /** Gives a link addresses and default routes, and what else is to change of it first, in one system call. */
  configure(
    link: number,
    change: LinkChange,
    { addresses, routes }: { addresses: readonly LinkAddress[]; routes: readonly DefaultRoute[] },
  ): void {
    const requests = [
      ...(Object.keys(change).length > 0 ? [setLinkRequest(link, change)] : []),
      ...addresses.map((address) => newAddress(link, address)),
      ...routes.map((route) => newRoute(link, route)),
    ];
    const names = addresses.map(({ ip, prefix }) => `${ip}/${prefix}`);
    if (requests.length > 0) this.socket.batch(requests, `configure link ${link} as ${names.join(", ")}`);
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
  const flags = (change.up ? iffUp : 0) | (change.arp === false ? iffNoArp : 0);
  const changed = (change.up === undefined ? 0 : iffUp) | (change.arp === undefined ? 0 : iffNoArp);
  const header = linkHeader(index, flags, changed);
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
