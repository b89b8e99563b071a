/**
 * A redirection inside a network namespace: what its programs send to one address and port goes to another port of that address, and
 * what is answered from there seems to come from the first. One nfnetlink transaction, no process: `nft` would take ten milliseconds of
 * every start. The table as nft writes it:
 *
 *   table ip NAME {
 *     chain output  { type filter hook output priority -100; ip daddr ADDRESS udp dport FROM udp dport set TO; … tcp … }
 *     chain answers { type filter hook output priority raw;  ip saddr ADDRESS udp sport TO udp sport set FROM; … tcp … }
 *   }
 *
 * The ports are rewritten and nothing is remembered: a translation (nat) would have the kernel track all connections of the namespace,
 * whatever they are, which takes some percent of every packet's time. Where the namespace's own programs have them tracked, the tracking
 * (priority -200) sees port FROM both ways.
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
import { nftRequest, nftTransact } from "./nfnetlink.ts";

export interface PortRedirect {
  /** The table's name. */
  table: string;
  address: string;
  from: number;
  to: number;
}

const types = { newTable: 0, newChain: 3, newRule: 6, deleteRule: 8 };
const hookLocalOut = 3;
/** The checksum is that many bytes into the transport header. */
const protocols = [
  { number: 6, checksum: 16 },
  { number: 17, checksum: 6 },
];
/** A part of a packet's headers. */
interface Field {
  base: number;
  offset: number;
  length: number;
}
const [networkHeader, transportHeader] = [1, 2];
const addresses = {
  source: { base: networkHeader, offset: 12, length: 4 },
  destination: { base: networkHeader, offset: 16, length: 4 },
};
const ports = {
  source: { base: transportHeader, offset: 0, length: 2 },
  destination: { base: transportHeader, offset: 2, length: 2 },
};
const metaProtocol = 16;
const register = number(1);
const [equal, internetChecksum] = [number(0), number(1)];

/** Acts in the calling thread's namespace. Idempotent: a former redirection of this table is replaced, with no moment in between. */
export function redirectPort({ table, address, from, to }: PortRedirect): void {
  const requests = [
    request(types.newTable, textAttribute(1, table)),
    ...rewriting({ table, chain: "output", priority: -100, address, end: "destination", port: from, becomes: to }),
    ...rewriting({ table, chain: "answers", priority: -300, address, end: "source", port: to, becomes: from }),
  ];
  using socket = new NetlinkSocket(netlinkNetfilter);
  nftTransact(socket, requests, "nftables redirection");
}

interface Rewriting {
  table: string;
  chain: string;
  priority: number;
  /** Which of a packet's addresses and ports are meant. */
  end: "source" | "destination";
  address: string;
  port: number;
  becomes: number;
}

function rewriting({ table, chain, priority, end, address, port, becomes }: Rewriting): NetlinkRequest[] {
  const name = textAttribute(1, table);
  const hook = nestedAttribute(4, attribute(1, number(hookLocalOut)), attribute(2, number(priority)));
  return [
    request(types.newChain, name, textAttribute(3, chain), hook, textAttribute(7, "filter")),
    // Those of a former call: only then does the kernel wait, some ten milliseconds. To delete the table would make it wait always.
    request(types.deleteRule, name, textAttribute(2, chain)),
    ...protocols.map(({ number: protocol, checksum }) =>
      request(
        types.newRule,
        name,
        textAttribute(2, chain),
        nestedAttribute(
          4,
          // First what nearly no packet passes.
          payload(addresses[end]),
          compare(addressBytes(address)),
          expression("meta", attribute(1, register), attribute(2, number(metaProtocol))),
          compare(Buffer.from([protocol])),
          payload(ports[end]),
          compare(portBytes(port)),
          expression("immediate", attribute(1, register), nestedAttribute(2, attribute(1, portBytes(becomes)))),
          rewrite(ports[end], checksum),
        ),
      ),
    ),
  ];
}

function request(type: number, ...attributes: Buffer[]): NetlinkRequest {
  const flags = type === types.deleteRule ? 0 : messageFlags.create | messageFlags.append;
  return nftRequest("ip", type, flags, ...attributes);
}

function expression(name: string, ...data: Buffer[]): Buffer {
  return nestedAttribute(1, textAttribute(1, name), nestedAttribute(2, ...data));
}

function payload(field: Field): Buffer {
  return expression("payload", attribute(1, register), ...place(field));
}

function rewrite(field: Field, checksum: number): Buffer {
  return expression(
    "payload",
    attribute(5, register),
    ...place(field),
    attribute(6, internetChecksum),
    attribute(7, number(checksum)),
  );
}

function place({ base, offset, length }: Field): Buffer[] {
  return [attribute(2, number(base)), attribute(3, number(offset)), attribute(4, number(length))];
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
