/** Ports of EXPOSE: `80`, `80/udp`, `90-92/tcp`, and what go-connections' nat.ParsePortSpec tolerates before them. */
import { invalidArgument } from "../base/errors.ts";

const protocols = new Set(["tcp", "udp", "sctp"]);

/** `90-91/udp` → `90/udp`, `91/udp`. Throws `invalid-argument`. */
export function parseExposedPorts(spec: string): string[] {
  const [range = "", given] = spec.split("/", 2);
  const protocol = (given || "tcp").toLowerCase();
  // An address or host port before it is allowed and means nothing for an image.
  const port = range.slice(range.lastIndexOf(":") + 1);
  if (port === "") throw invalidArgument(`No port specified: ${spec}<empty>`);
  if (!protocols.has(protocol)) throw invalidArgument(`Invalid proto: ${protocol}`);
  const [first = "", last = first] = port.split("-", 2);
  const start = number(first, port);
  const end = number(last, port);
  if (end < start) throw invalidArgument(`Invalid containerPort: ${port}`);
  return Array.from({ length: end - start + 1 }, (_, offset) => `${start + offset}/${protocol}`);
}

function number(text: string, port: string): number {
  if (!/^\d+$/.test(text) || Number(text) > 65535) throw invalidArgument(`Invalid containerPort: ${port}`);
  return Number(text);
}
