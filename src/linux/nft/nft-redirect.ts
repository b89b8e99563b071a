/**
 * A redirection inside a network namespace: what its programs send to one address and port goes to another port of that address.
 * One nfnetlink transaction, no process: `nft` would take ten milliseconds of every start. The table as nft writes it:
 *
 *   table ip NAME { chain output { type nat hook output priority -100;
 *     meta l4proto udp ip daddr ADDRESS udp dport FROM dnat to :TO
 *     meta l4proto tcp ip daddr ADDRESS tcp dport FROM dnat to :TO } }
 */
import { addressBytes } from "../inet.ts";
import {
  attribute,
  messageFlags,
  type NetlinkRequest,
  NetlinkSocket,
  nestedAttribute,
  netlinkNetfilter,
  textAttribute,
} from "../network/netlink.ts";
import { nftFamilies, nftRequest, nftTransact } from "./nfnetlink.ts";

export interface PortRedirect {
  /** The table's name. */
  table: string;
  address: string;
  from: number;
  to: number;
}

const types = { newTable: 0, newChain: 3, newRule: 6, deleteRule: 8 };
const chain = "output";
const hookLocalOut = 3;
const priorityDestination = -100;
const protocols = { tcp: 6, udp: 17 };
/** Where a payload expression reads. */
const [networkHeader, transportHeader] = [1, 2];
const destinationAddress = { base: networkHeader, offset: 16, length: 4 };
const destinationPort = { base: transportHeader, offset: 2, length: 2 };
const metaProtocol = 16;
const register = number(1);
const [equal, destinationNat] = [number(0), number(1)];

/** Acts in the calling thread's namespace. Idempotent: a former redirection of this table is replaced, with no moment in between. */
export function redirectPort({ table, address, from, to }: PortRedirect): void {
  const name = textAttribute(1, table);
  const hook = nestedAttribute(4, attribute(1, number(hookLocalOut)), attribute(2, number(priorityDestination)));
  const requests = [
    request(types.newTable, name),
    request(types.newChain, name, textAttribute(3, chain), hook, textAttribute(7, "nat")),
    // Those of a former call: only then does the kernel wait, some ten milliseconds. To delete the table would make it wait always.
    request(types.deleteRule, name, textAttribute(2, chain)),
    ...Object.values(protocols).map((protocol) =>
      request(
        types.newRule,
        name,
        textAttribute(2, chain),
        nestedAttribute(
          4,
          expression("meta", attribute(1, register), attribute(2, number(metaProtocol))),
          compare(Buffer.from([protocol])),
          payload(destinationAddress),
          compare(addressBytes(address)),
          payload(destinationPort),
          compare(portBytes(from)),
          expression("immediate", attribute(1, register), nestedAttribute(2, attribute(1, portBytes(to)))),
          expression(
            "nat",
            attribute(1, destinationNat),
            attribute(2, number(nftFamilies.ip)),
            attribute(5, register),
            attribute(6, register),
          ),
        ),
      ),
    ),
  ];
  using socket = new NetlinkSocket(netlinkNetfilter);
  nftTransact(socket, requests, "nftables redirection");
}

function request(type: number, ...attributes: Buffer[]): NetlinkRequest {
  const flags = type === types.deleteRule ? 0 : messageFlags.create | messageFlags.append;
  return nftRequest("ip", type, flags, ...attributes);
}

function expression(name: string, ...data: Buffer[]): Buffer {
  return nestedAttribute(1, textAttribute(1, name), nestedAttribute(2, ...data));
}

function payload({ base, offset, length }: { base: number; offset: number; length: number }): Buffer {
  return expression(
    "payload",
    attribute(1, register),
    attribute(2, number(base)),
    attribute(3, number(offset)),
    attribute(4, number(length)),
  );
}

function compare(value: Uint8Array): Buffer {
  return expression("cmp", attribute(1, register), attribute(2, equal), nestedAttribute(3, attribute(1, value)));
}

/** nftables' numbers are big-endian. */
function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function portBytes(port: number): Buffer {
  return Buffer.from([port >> 8, port & 255]);
}
