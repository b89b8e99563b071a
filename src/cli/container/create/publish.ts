/** `-p` and `--expose`: port specifications → exposed ports and bindings, with the messages of docker's nat package. */
import type { PortBinding } from "../../../api/container-config.ts";
import { goQuote } from "../../../base/go-quote.ts";
import { ipVersion } from "../../values/ip-address.ts";

export interface Ports {
  readonly exposed: Record<string, object>;
  readonly bindings: Record<string, PortBinding[]>;
}

/** Throws an Error with Docker's message for what is no port specification. */
export function parsePorts(publish: readonly string[], expose: readonly string[]): Ports {
  const exposed: Record<string, object> = {};
  const bindings: Record<string, PortBinding[]> = {};
  for (const text of publish) {
    for (const [port, binding] of parsePublish(text.includes("=") ? longSyntax(text) : text)) {
      exposed[port] = {};
      bindings[port] ??= [];
      bindings[port].push(binding);
    }
  }
  for (const text of expose) for (const port of parseExpose(text)) exposed[port] = {};
  return { exposed, bindings };
}

/** `published=8080,target=80,protocol=tcp` */
function longSyntax(text: string): string {
  const fields: Record<string, string> = { protocol: "tcp" };
  for (const field of text.split(",")) {
    const at = field.indexOf("=");
    if (at <= 0) throw new Error(`invalid publish opts format (should be name=value but got '${field}')`);
    fields[field.slice(0, at)] = field.slice(at + 1);
  }
  return `${fields["published"] ?? ""}:${fields["target"] ?? ""}/${fields["protocol"]}`;
}

/** `[ip:][hostPort:]containerPort[/proto]`, the ports possibly ranges. */
function parsePublish(text: string): [string, PortBinding][] {
  const parts = text.split(":");
  const [target = "", proto = "tcp"] = splitProto(parts.at(-1) ?? "");
  const hostPort = parts.length > 1 ? (parts.at(-2) ?? "") : "";
  const ip = hostAddress(parts.slice(0, -2).join(":"));
  if (target === "") throw new Error(`no port specified: ${text}<empty>`);
  const container = portRange(target, `invalid containerPort: ${target}`);
  const host = hostPort === "" ? undefined : portRange(hostPort, `invalid hostPort: ${hostPort}`);
  const count = container.end - container.start + 1;
  if (host && host.end - host.start + 1 !== count && count !== 1) {
    throw new Error(`invalid ranges specified for container and host Ports: ${target} and ${hostPort}`);
  }
  if (!["tcp", "udp", "sctp"].includes(proto.toLowerCase())) throw new Error(`invalid proto: ${proto}`);
  return Array.from({ length: count }, (_, index): [string, PortBinding] => {
    let port = host ? String(host.start + index) : "";
    if (host && count === 1 && host.end !== host.start) port = `${host.start}-${host.end}`;
    return [`${container.start + index}/${proto.toLowerCase()}`, { HostIp: ip, HostPort: port }];
  });
}

function hostAddress(text: string): string {
  if (text === "") return "";
  if (text.startsWith("[")) {
    const inner = /^\[([^\]]*)\]$/.exec(text)?.[1];
    if (inner === undefined) throw new Error(`invalid IP address ${text}: address ${text}:: missing ']' in address`);
    if (inner !== "" && ipVersion(inner) === 0) throw new Error(`invalid IP address: ${inner}`);
    return inner;
  }
  if (ipVersion(text) !== 0) return text;
  if (text.includes(":")) throw new Error(`invalid IP address ${text}: address ${text}:: too many colons in address`);
  throw new Error(`invalid IP address: ${text}`);
}

function parseExpose(text: string): string[] {
  if (text.includes(":")) throw new Error(`invalid port format for --expose: ${text}`);
  const [port = "", proto = "tcp"] = splitProto(text);
  let range: { start: number; end: number };
  try {
    range = portRange(port);
  } catch (error) {
    throw new Error(
      `invalid range format for --expose: ${text}, error: ${error instanceof Error ? error.message : error}`,
    );
  }
  return Array.from({ length: range.end - range.start + 1 }, (_, index) => `${range.start + index}/${proto}`);
}

function splitProto(text: string): [string, string] {
  const [port = "", proto = ""] = text.split("/");
  return port === "" ? ["", ""] : [port, proto === "" ? "tcp" : proto];
}

/** Throws with `message`, or with Go's own words when none is given. */
function portRange(text: string, message?: string): { start: number; end: number } {
  const [first = "", ...rest] = text.split("-");
  try {
    if (text === "") throw new Error("empty string specified for ports");
    const start = portNumber(first);
    const end = rest.length === 0 ? start : portNumber(rest.join("-"));
    if (end < start) throw new Error(`invalid range specified for port: ${text}`);
    return { start, end };
  } catch (error) {
    throw message === undefined ? error : new Error(message);
  }
}

function portNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`strconv.ParseUint: parsing ${goQuote(text)}: invalid syntax`);
  if (Number(text) > 65535) throw new Error(`strconv.ParseUint: parsing ${goQuote(text)}: value out of range`);
  return Number(text);
}
