/** Forgets tracked UDP flows, by ctnetlink. A flow that the kernel knows keeps its old address translation, or none, until forgotten. */
import {
  attribute,
  messageFlags,
  NetlinkSocket,
  nestedAttribute,
  netlinkNetfilter,
  parseAttributes,
  u8Attribute,
  u32Attribute,
} from "./netlink.ts";

const subsystem = 1;
const types = { get: 1, delete: 2 };
const attributes = { original: 1, zone: 18, filter: 25 };
const tuple = { protocol: 2, number: 1, destinationPort: 3 };
/** CTA_FILTER_FLAG_CTA_PROTO_NUM and _DST_PORT: what of the given tuple must match. */
const [filterOriginal, matchProtocol, matchDestinationPort] = [1, 1 << 3, 1 << 5];
const udp = 17;
const families = [2, 10];

/** Forgets UDP flows that were first sent to one of these ports. Returns how many. Takes time where many flows are tracked. */
export function forgetUdpFlows(ports: readonly number[]): number {
  using socket = new NetlinkSocket(netlinkNetfilter);
  let count = 0;
  for (const [family, port] of families.flatMap((family) => ports.map((port) => [family, port] as const))) {
    for (const { original, zone } of listUdpFlows(socket, family, port)) {
      const body = Buffer.concat([header(family), attribute(attributes.original | 0x8000, original), ...zone]);
      try {
        socket.request({ type: (subsystem << 8) | types.delete, flags: 0, body }, "delete flow");
        count++;
      } catch (error) {
        // It has just expired by itself.
        if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
      }
    }
  }
  return count;
}

/** Kernels before 5.8 know no filter and answer with every flow, so the port is compared here, too. */
function listUdpFlows(socket: NetlinkSocket, family: number, port: number): { original: Buffer; zone: Buffer[] }[] {
  const wanted = nestedAttribute(
    attributes.original,
    nestedAttribute(tuple.protocol, u8Attribute(tuple.number, udp), attribute(tuple.destinationPort, bytes(port))),
  );
  const filter = nestedAttribute(
    attributes.filter,
    u32Attribute(filterOriginal, matchProtocol | matchDestinationPort),
    u32Attribute(2, 0),
  );
  const body = Buffer.concat([header(family), wanted, filter]);
  const request = { type: (subsystem << 8) | types.get, flags: messageFlags.dump, body };
  return socket.query(request, "list flows").flatMap((message) => {
    const flow = parseAttributes(message.body.subarray(4));
    const original = flow.get(attributes.original);
    const protocol = original && parseAttributes(original).get(tuple.protocol);
    if (!original || !protocol) return [];
    const fields = parseAttributes(protocol);
    const matches =
      fields.get(tuple.number)?.[0] === udp && fields.get(tuple.destinationPort)?.readUInt16BE(0) === port;
    const zone = flow.get(attributes.zone);
    return matches ? [{ original, zone: zone ? [attribute(attributes.zone, zone)] : [] }] : [];
  });
}

/** struct nfgenmsg */
function header(family: number): Buffer {
  return Buffer.from([family, 0, 0, 0]);
}

function bytes(port: number): Buffer {
  return Buffer.from([port >> 8, port & 255]);
}
