/** Messages to nf_tables: what every request and every transaction has in common. Source: linux/netfilter/nfnetlink.h */
import type { NetlinkRequest, NetlinkSocket } from "../network/netlink.ts";

const subsystem = 10;
const [batchBegin, batchEnd] = [0x10, 0x11];
/** Of tables, as nft calls them. */
export const nftFamilies = { inet: 1, ip: 2, ip6: 10 } as const;
export type NftFamily = keyof typeof nftFamilies;

export function nftRequest(family: NftFamily, type: number, flags: number, ...attributes: Buffer[]): NetlinkRequest {
  // struct nfgenmsg, then the attributes.
  const body = Buffer.concat([Buffer.from([nftFamilies[family], 0, 0, 0]), ...attributes]);
  return { type: (subsystem << 8) | type, flags, body };
}

/** All of the requests, or none. `what` is for errors. */
export function nftTransact(socket: NetlinkSocket, requests: NetlinkRequest[], what: string): void {
  const marker = (type: number): NetlinkRequest => ({ type, flags: 0, body: Buffer.from([0, 0, 0, subsystem]) });
  socket.transact(marker(batchBegin), requests, marker(batchEnd), what);
}
