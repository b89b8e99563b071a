/**
 * Content digests, `sha256:<64 hex digits>`. Strings, so that they are keys, columns and JSON without conversion.
 * https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests
 */
import { invalidArgument } from "../base/errors.ts";

export type Digest = string;

/** Hex digits per algorithm. */
const lengths: Record<string, number> = { sha256: 64, sha384: 96, sha512: 128 };

/** Returns the text as a digest, or throws `invalid-argument` in go-digest's words. */
export function parseDigest(text: string): Digest {
  const colon = text.indexOf(":");
  const algorithm = text.slice(0, colon);
  const hex = text.slice(colon + 1);
  if (colon <= 0 || hex === "" || !/^[a-z0-9]+(?:[.+_-][a-z0-9]+)*$/.test(algorithm)) {
    throw invalidArgument("invalid checksum digest format");
  }
  const length = lengths[algorithm];
  if (length === undefined) throw invalidArgument("unsupported digest algorithm");
  if (hex.length !== length) throw invalidArgument("invalid checksum digest length");
  if (!/^[a-f0-9]+$/.test(hex)) throw invalidArgument("invalid checksum digest format");
  return text;
}

export function isDigest(text: string): boolean {
  const colon = text.indexOf(":");
  const length = lengths[text.slice(0, colon)];
  return length !== undefined && text.length === colon + 1 + length && /^[a-f0-9]+$/.test(text.slice(colon + 1));
}

/** True for `sha256:` and 64 lower-case hex digits: the only digests that images and layers are stored under. */
export function isSha256(text: string): boolean {
  return /^sha256:[a-f0-9]{64}$/.test(text);
}

export function digestOf(content: Uint8Array | string, algorithm = "sha256"): Digest {
  const hasher = new Bun.CryptoHasher(algorithm as Bun.SupportedCryptoAlgorithms);
  return `${algorithm}:${hasher.update(content).digest("hex")}`;
}

export function algorithmOf(digest: Digest): string {
  return digest.slice(0, digest.indexOf(":"));
}

export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** Digests content that comes in pieces. */
export class Digester {
  // Not node:crypto: loading that costs more than all else of a short command.
  private readonly hash: Bun.CryptoHasher;
  private readonly algorithm: string;

  constructor(algorithm = "sha256") {
    this.algorithm = algorithm;
    this.hash = new Bun.CryptoHasher(algorithm as Bun.SupportedCryptoAlgorithms);
  }

  update(chunk: Uint8Array): void {
    this.hash.update(chunk);
  }

  /** Call once. */
  digest(): Digest {
    return `${this.algorithm}:${this.hash.digest("hex")}`;
  }
}

/**
 * The chainID of a stack of layers, base first: names the layer together with all below it.
 * https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid
 */
export function chainIdOf(diffIds: readonly Digest[]): Digest {
  return chainIdsOf(diffIds).at(-1) ?? "";
}

/** The chainID of each layer of a stack, base first. */
export function chainIdsOf(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const parent = chain.at(-1);
    chain.push(parent === undefined ? diffId : digestOf(`${parent} ${diffId}`));
  }
  return chain;
}
