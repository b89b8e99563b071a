/** IPv4 addresses, prefixes and MAC addresses, as text and as bytes. */
import { invalidArgument } from "../base/errors.ts";

/** Bytes of a dotted address in network order. Throws `invalid-argument` for anything else. */
export function ipv4Bytes(text: string): Buffer {
  if (!isIpv4(text)) throw invalidArgument(`invalid IP address: ${text}`);
  return Buffer.from(text.split(".").map(Number));
}

export function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

export function ipv4Number(text: string): number {
  return ipv4Bytes(text).readUInt32BE(0);
}

export function ipv4Text(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

/** A range of addresses written `172.17.0.0/16`. */
export interface Prefix {
  /** The network's first address, as a number. */
  base: number;
  length: number;
}

/** Reads `a.b.c.d/n`; host bits are cleared. Throws `invalid-argument`. */
export function parsePrefix(text: string): Prefix {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text);
  const length = Number(match?.[2] ?? 99);
  if (!match?.[1] || !isIpv4(match[1]) || length > 32) throw invalidArgument(`invalid CIDR address: ${text}`);
  return { base: networkOf(ipv4Number(match[1]), length), length };
}

export function prefixText({ base, length }: Prefix): string {
  return `${ipv4Text(base)}/${length}`;
}

export function networkOf(address: number, length: number): number {
  return length === 0 ? 0 : (address & (0xffffffff << (32 - length))) >>> 0;
}

export function prefixSize(length: number): number {
  return 2 ** (32 - length);
}

export function prefixContains({ base, length }: Prefix, address: number): boolean {
  return networkOf(address, length) === base;
}

export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  return a.length <= b.length ? prefixContains(a, b.base) : prefixContains(b, a.base);
}

/** Bytes of `02:42:ac:11:00:02`. Throws `invalid-argument` in Docker's words. */
export function macBytes(text: string): Buffer {
  if (!/^[\da-f]{2}([:-][\da-f]{2}){5}$/i.test(text)) throw invalidArgument(`invalid MAC address ${text}`);
  return Buffer.from(text.replaceAll(/[:-]/g, ""), "hex");
}

export function macText(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Docker's MAC for an address: 02:42 and the address. Equal addresses have equal MACs, so no neighbour table goes stale. */
export function macOfIpv4(address: string): string {
  return macText(Buffer.concat([Buffer.from([0x02, 0x42]), ipv4Bytes(address)]));
}
