/** Messages to nf_tables, family `ip`: what every request and every transaction has in common. Source: linux/netfilter/nfnetlink.h */
import type { NetlinkRequest, NetlinkSocket } from "./netlink.ts";

const subsystem = 10;
const [batchBegin, batchEnd] = [0x10, 0x11];
export const familyIpv4 = 2;

export function nftRequest(type: number, flags: number, ...attributes: Buffer[]): NetlinkRequest {
  // struct nfgenmsg, then the attributes.
  const body = Buffer.concat([Buffer.from([familyIpv4, 0, 0, 0]), ...attributes]);
  return { type: (subsystem << 8) | type, flags, body };
}

/** All of the requests, or none. `what` is for errors. */
export function nftTransact(socket: NetlinkSocket, requests: NetlinkRequest[], what: string): void {
  const marker = (type: number): NetlinkRequest => ({ type, flags: 0, body: Buffer.from([0, 0, 0, subsystem]) });
  socket.transact(marker(batchBegin), requests, marker(batchEnd), what);
}
