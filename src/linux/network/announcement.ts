/**
 * What tells an interface's neighbours where its addresses are from now on: an unsolicited ARP request (RFC 5227, section 3) and an
 * unsolicited neighbour advertisement (RFC 4861, section 7.2.6). Without it, a neighbour that knew the address of another container
 * would send to that one's hardware address until its entry expires.
 */
import { ptr } from "bun:ffi";
import { addressBytes, type Family, familyOf, macBytes } from "../inet.ts";
import { check, libc } from "../libc.ts";
import { withNetns } from "./netns.ts";
import { RouteSocket } from "./rtnetlink.ts";

export interface Announcements {
  /** 0: none. */
  count: number;
  intervalMillis: number;
}

export interface Announced {
  /** The file that names the namespace. */
  path: string;
  mac: string;
  /** The first of each family is told. */
  addresses: readonly { ip: string }[];
}

const etherTypes = { arp: 0x0806, ipv6: 0x86dd };
const [packetFamily, raw, closeOnExec] = [17, 3, 0o2000000];

/**
 * Sends them now and, from a timer, the rest; they cease once the interface is gone or has another hardware address. Nothing waits for
 * them, and what fails is not told: they only hasten what neighbours find out by themselves.
 */
export function announce(announced: Announced, { count, intervalMillis }: Announcements): void {
  if (count === 0 || announced.mac === "" || !tell(announced)) return;
  const rest = { count: count - 1, intervalMillis };
  setTimeout(() => announce(announced, rest), intervalMillis).unref();
}

/** Whether the interface is there. */
function tell({ path, mac, addresses }: Announced): boolean {
  const told = ([4, 6] as const).flatMap((family) => addresses.find(({ ip }) => familyOf(ip) === family)?.ip ?? []);
  try {
    return withNetns(path, () => {
      const link = linkOf(told, mac);
      for (const ip of link === undefined ? [] : told)
        sendFrame(link as number, announcementFrame(mac, ip), familyOf(ip));
      return link !== undefined;
    });
  } catch {
    return false;
  }
}

function linkOf(ips: readonly string[], mac: string): number | undefined {
  using socket = new RouteSocket();
  const link = socket.listAddresses().find(({ ip }) => ip === ips[0])?.link;
  return socket.listLinks().find(({ index, address }) => index === link && address === mac)?.index;
}

function sendFrame(link: number, frame: Uint8Array, family: Family): void {
  const socket = check(libc.socket(packetFamily, raw | closeOnExec, 0), "socket");
  try {
    // struct sockaddr_ll: family, protocol in network order, index; hardware addresses are in the frame.
    const place = Buffer.alloc(20);
    place.writeUInt16LE(packetFamily, 0);
    place.writeUInt16BE(family === 4 ? etherTypes.arp : etherTypes.ipv6, 2);
    place.writeInt32LE(link, 4);
    check(libc.bind(socket, ptr(place), place.length), "bind");
    check(libc.send(socket, ptr(frame), frame.length, 0), "send");
  } finally {
    libc.close(socket);
  }
}

/** The Ethernet frame. Pure. */
export function announcementFrame(mac: string, ip: string): Buffer {
  return familyOf(ip) === 4
    ? arpFrame(macBytes(mac), addressBytes(ip))
    : advertisementFrame(macBytes(mac), addressBytes(ip));
}

function arpFrame(mac: Buffer, ip: Buffer): Buffer {
  // Ethernet, IPv4, their lengths, a request: more stacks heed it than an answer that nobody asked for.
  const request = Buffer.from("0001080006040001", "hex");
  return frame("ffffffffffff", mac, etherTypes.arp, request, mac, ip, Buffer.alloc(6), ip);
}

function advertisementFrame(mac: Buffer, ip: Buffer): Buffer {
  const allNodes = addressBytes("ff02::1");
  // The override flag; the target; an option of one unit of eight bytes with its hardware address.
  const message = Buffer.concat([Buffer.from("8800000020000000", "hex"), ip, Buffer.from("0201", "hex"), mac]);
  const pseudoHeader = Buffer.concat([ip, allNodes, Buffer.from([0, 0, 0, message.length, 0, 0, 0, 58])]);
  message.writeUInt16BE(checksum(Buffer.concat([pseudoHeader, message])), 2);
  // Version 6, the length, ICMPv6, and the hop limit that proves that it comes from this link.
  const header = Buffer.from([0x60, 0, 0, 0, 0, message.length, 58, 255]);
  return frame("333300000001", mac, etherTypes.ipv6, header, ip, allNodes, message);
}

function frame(destination: string, mac: Buffer, type: number, ...rest: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(destination, "hex"), mac, Buffer.from([type >> 8, type & 255]), ...rest]);
}

/** Of the Internet protocols, over an even number of bytes (RFC 1071). */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
