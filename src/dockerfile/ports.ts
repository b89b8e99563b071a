/** Ports of EXPOSE: `80`, `80/udp`, `90-92/tcp`, and the addresses and host ports before them that go-connections' nat tolerates. */
import { isIP } from "node:net";
import { invalidArgument } from "../base/errors.ts";

const protocols = new Set(["tcp", "udp", "sctp"]);

/** Of `80/udp`, in any case; none is `tcp`. */
export function isProtocol(text: string): boolean {
  return text === "" || protocols.has(text.toLowerCase());
}

/** What is between the colons of `[address:][hostPort:]port[/protocol]`; the address may have colons of its own. */
export function splitPortSpec(spec: string): { address: string; hostPort: string; port: string } {
  const parts = spec.split(":");
  const [port = "", hostPort = "", ...address] = parts.toReversed();
  return { address: address.toReversed().join(":"), hostPort, port };
}

/** `90-91/udp` → `90/udp`, `91/udp`. Throws `invalid-argument`. */
export function parseExposedPorts(spec: string): string[] {
  const { address, hostPort, port: portAndProtocol } = splitPortSpec(spec);
  const [port = "", given] = portAndProtocol.split("/", 2);
  const protocol = (given || "tcp").toLowerCase();
  checkAddress(address);
  if (port === "") throw invalidArgument(`No port specified: ${spec}<empty>`);
  const range = parseRange(port, `Invalid containerPort: ${port}`);
  if (hostPort !== "") {
    const host = parseRange(hostPort, `Invalid hostPort: ${hostPort}`);
    // One port may be mapped to any of several, but several only to as many.
    if (range.length > 1 && host.length !== range.length) {
      throw invalidArgument(`Invalid ranges specified for container and host Ports: ${port} and ${hostPort}`);
    }
  }
  if (!isProtocol(protocol)) throw invalidArgument(`Invalid proto: ${given}`);
  return range.map((number) => `${number}/${protocol}`);
}

/** An IPv6 address stands in brackets. */
function checkAddress(address: string): void {
  const wrong = (why: string) => invalidArgument(`Invalid ip address ${address}: address ${address}:: ${why}`);
  if (address.startsWith("[") && !address.endsWith("]")) throw wrong("missing ']' in address");
  if (!address.startsWith("[") && address.includes(":")) throw wrong("too many colons in address");
  const plain = address.replace(/^\[(.*)\]$/, "$1");
  if (plain !== "" && isIP(plain) === 0) throw invalidArgument(`Invalid ip address: ${plain}`);
}

function parseRange(text: string, message: string): number[] {
  const [first = "", last = first] = text.split("-", 2);
  const isPort = (part: string) => /^\d+$/.test(part) && Number(part) <= 65535;
  if (!isPort(first) || !isPort(last) || Number(last) < Number(first)) throw invalidArgument(message);
  return Array.from({ length: Number(last) - Number(first) + 1 }, (_, offset) => Number(first) + offset);
}
