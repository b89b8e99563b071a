/**
 * What stands in URLs, checked: repository names, tags, digests, upload ids and ranges. Each throws a RegistryError of the matching code.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
 */
import { type Digest, isDigest } from "../../oci/digest.ts";
import { RegistryError } from "./http-error.ts";

const component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const nameExpression = new RegExp(`^${component}(?:/${component})*$`);
const tagExpression = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const maxNameLength = 255;

export function isName(text: string): boolean {
  return text.length <= maxNameLength && nameExpression.test(text);
}

export function checkName(name: string): string {
  if (isName(name)) return name;
  throw new RegistryError("NAME_INVALID", undefined, { detail: { name: name.slice(0, maxNameLength) } });
}

export function isTag(text: string): boolean {
  return tagExpression.test(text);
}

/** sha256 and sha512, the algorithms that the image specification registers. */
export function checkDigest(text: string): Digest {
  if (isDigest(text) && !text.startsWith("sha384:")) return text;
  throw new RegistryError("DIGEST_INVALID", "invalid checksum digest format", {
    detail: { digest: text.slice(0, 200) },
  });
}

export function checkUploadId(text: string): string {
  if (/^[a-f0-9]{32}$/.test(text)) return text;
  throw new RegistryError("BLOB_UPLOAD_UNKNOWN");
}

/** Whether `If-None-Match` names this digest; without quotes too, as Docker's registry takes it. */
export function isKnownTo(request: Request, digest: Digest): boolean {
  const header = request.headers.get("if-none-match");
  if (header === null) return false;
  return header.split(",").some((each) => /^\s*(?:W\/)?"?([^"]*?)"?\s*$/.exec(each)?.[1] === digest);
}

export interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

/**
 * The one range that a `Range` header asks for, cut to the size. Undefined means the whole content: no header, another unit, several
 * ranges, or a header that is not well formed, which RFC 9110 lets a server ignore. A range outside the content is RANGE_INVALID, and so
 * is one that ends before it begins, as Docker's registry and the conformance tests have it.
 */
export function parseRange(header: string | null, size: number): ByteRange | undefined {
  const match = /^bytes=(\d{0,20})-(\d{0,20})$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  const suffix = match[1] === "";
  const start = suffix ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = suffix || match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (start >= size || end < start) {
    throw new RegistryError("RANGE_INVALID", undefined, { headers: { "content-range": `bytes */${size}` } });
  }
  return { start, end };
}

/** `Content-Range: <start>-<end>` of a chunk, inclusive; also with the unit (`bytes 0-9/*`), as some clients send it. */
export function parseContentRange(header: string): ByteRange {
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header);
  const start = Number(match?.[1]);
  const end = Number(match?.[2]);
  if (match && end >= start) return { start, end };
  throw new RegistryError("BLOB_UPLOAD_INVALID", "invalid Content-Range header");
}
