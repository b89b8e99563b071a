/** Addresses of version 4 and 6, prefixes and MAC addresses, as text, numbers and bytes. */
import { createHash } from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";
import { invalidArgument } from "../base/errors.ts";

/** Version of the internet protocol. */
export type Family = 4 | 6;

export const isIpv4 = isIPv4;

/** Without a zone (`%eth0`). */
export function isIpv6(text: string): boolean {
  return isIPv6(text) && !text.includes("%");
}

/** undefined: no address. */
export function findFamily(text: string): Family | undefined {
  if (isIpv4(text)) return 4;
  return isIpv6(text) ? 6 : undefined;
}

/** Throws `invalid-argument` for what is no address. */
export function familyOf(text: string): Family {
  const family = findFamily(text);
  if (family === undefined) throw invalidArgument(`invalid IP address: ${text}`);
  return family;
}

/** Length of an address in bits. */
export function bitsOf(family: Family): number {
  return family === 4 ? 32 : 128;
}

/** Bytes of an address in network order. Throws `invalid-argument`. */
export function addressBytes(text: string): Buffer {
  if (familyOf(text) === 4) return Buffer.from(text.split(".").map(Number));
  const dotted = /[\d.]+\.[\d.]+$/.exec(text)?.[0];
  const tail = dotted && addressBytes(dotted).toString("hex");
  const plain = tail ? text.replace(dotted, `${tail.slice(0, 4)}:${tail.slice(4)}`) : text;
  const [left = [], right] = plain.split("::").map((half) => half.split(":").filter((word) => word !== ""));
  const middle = Array<string>(8 - left.length - (right?.length ?? 0)).fill("0");
  const words = [...left, ...(right ? middle : []), ...(right ?? [])];
  return Buffer.from(words.map((word) => word.padStart(4, "0")).join(""), "hex");
}

/** The address in its one written form (RFC 5952): `fd00::1`. */
export function bytesText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const buffer = Buffer.from(bytes);
  const words = Array.from({ length: 8 }, (_, index) => buffer.readUInt16BE(index * 2).toString(16)).join(":");
  const zeros = (words.match(/(?<![^:])0(:0)+(?![^:])/g) ?? []).toSorted((a, b) => b.length - a.length)[0];
  if (zeros === undefined) return words;
  const at = words.search(new RegExp(`(?<![^:])${zeros}(?![^:])`));
  return `${words.slice(0, at).replace(/:$/, "")}::${words.slice(at + zeros.length).replace(/^:/, "")}`;
}

/** An address as it may be compared as text: `fd00:0:0::07` is `fd00::7`. Throws `invalid-argument`. */
export function asOneText(address: string): string {
  return bytesText(addressBytes(address));
}

export function addressNumber(text: string): bigint {
  return BigInt(`0x${addressBytes(text).toString("hex")}`);
}

export function numberText(family: Family, address: bigint): string {
  return bytesText(Buffer.from(address.toString(16).padStart(bitsOf(family) / 4, "0"), "hex"));
}

/** A range of addresses written `172.17.0.0/16`. */
export interface Prefix {
  family: Family;
  /** The network's first address, as a number. */
  base: bigint;
  length: number;
}

/** undefined for what is no `address/length`; host bits are cleared. */
export function findPrefix(text: string): Prefix | undefined {
  const match = /^([\da-f.:]+)\/(0|[1-9]\d{0,2})$/i.exec(text);
  const family = findFamily(match?.[1] ?? "");
  const length = Number(match?.[2]);
  if (!match?.[1] || !family || length > bitsOf(family)) return undefined;
  return prefixOf(match[1], length);
}

/** As `findPrefix`. Throws `invalid-argument`. */
export function parsePrefix(text: string): Prefix {
  const prefix = findPrefix(text);
  if (!prefix) throw invalidArgument(`invalid CIDR address: ${text}`);
  return prefix;
}

/** The range of so many leading bits that an address is in. */
export function prefixOf(address: string, length: number): Prefix {
  const family = familyOf(address);
  return { family, base: networkOf(addressNumber(address), family, length), length };
}

export function prefixText({ family, base, length }: Prefix): string {
  return `${numberText(family, base)}/${length}`;
}

/** How many addresses a range has. */
export function prefixSize({ family, length }: Prefix): bigint {
  return 1n << BigInt(bitsOf(family) - length);
}

export function prefixContains(prefix: Prefix, address: string): boolean {
  return prefix.family === findFamily(address) && holds(prefix, addressNumber(address));
}

export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  if (a.family !== b.family) return false;
  return a.length <= b.length ? holds(a, b.base) : holds(b, a.base);
}

function holds({ family, base, length }: Prefix, address: bigint): boolean {
  return networkOf(address, family, length) === base;
}

function networkOf(address: bigint, family: Family, length: number): bigint {
  const rest = BigInt(bitsOf(family) - length);
  return (address >> rest) << rest;
}

/** Bytes of `02:42:ac:11:00:02`. Throws `invalid-argument` in Docker's words. */
export function macBytes(text: string): Buffer {
  if (!/^[\da-f]{2}([:-][\da-f]{2}){5}$/i.test(text)) throw invalidArgument(`invalid MAC address ${text}`);
  return Buffer.from(text.replaceAll(/[:-]/g, ""), "hex");
}

export function macText(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/**
 * Docker's MAC for an address: 02:42 and the address, or of a longer one four bytes that tell it from others. Equal addresses have
 * equal MACs, so no neighbour table goes stale.
 */
export function macOf(address: string): string {
  const bytes = addressBytes(address);
  const tail = bytes.length === 4 ? bytes : createHash("sha256").update(bytes).digest().subarray(0, 4);
  return macText(Buffer.concat([Buffer.from([0x02, 0x42]), tail]));
}
