/**
 * Whether a token was signed by whom we trust: by key id from a set of keys (our own, a file or a URL of a JWKS), or by a certificate that
 * comes along (`x5c`) or whose key is named, out of a bundle, as Docker's registry has it (`rootcertbundle`).
 */
import { createHash, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JWTHeaderParameters,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from "jose";
import { errorMessage, invalidArgument, unavailable } from "../../../base/errors.ts";
import type { SigningKeys } from "./keys.ts";

/** Asymmetric ones only: a shared secret could be any public key. */
const algorithms = ["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"];
const maxChain = 10;

type VerifyingKey = Awaited<ReturnType<JWTVerifyGetKey>>;
type KeySource = (header: JWTHeaderParameters) => Promise<VerifyingKey | undefined>;

export class TokenVerifier {
  private readonly sources: readonly KeySource[];
  private readonly issuer: string;
  private readonly audience: string;

  constructor(sources: readonly KeySource[], issuer: string, audience: string) {
    this.sources = sources;
    this.issuer = issuer;
    this.audience = audience;
  }

  /** The claims of a good token. Throws, saying what is wrong with it. */
  async verify(token: string): Promise<JWTPayload> {
    const { payload } = await jwtVerify(token, (header) => this.keyFor(header), {
      algorithms,
      issuer: this.issuer,
      audience: this.audience,
      clockTolerance: 60,
      requiredClaims: ["exp"],
    });
    return payload;
  }

  private async keyFor(header: JWTHeaderParameters): Promise<VerifyingKey> {
    for (const source of this.sources) {
      const key = await source(header);
      if (key) return key;
    }
    throw new errors.JWKSNoMatchingKey("the token is signed by a key that is not trusted");
  }
}

/** Our own keys. One that is unknown may have been made by another instance just now. */
export function ownKeys(keys: SigningKeys): KeySource {
  let lookedAgain = 0;
  return async (header) => {
    const find = async (fresh: boolean) =>
      (await keys.publicKeys(fresh)).some(({ kid }) => kid === header.kid) ? keys.publicKeys() : undefined;
    let set = await find(false);
    if (!set && lookedAgain + 1000 < Date.now()) {
      lookedAgain = Date.now();
      set = await find(true);
    }
    return set && (await createLocalJWKSet({ keys: set })(header));
  };
}

/** A JWKS in a file or at a URL; the latter is asked again for keys that it did not have. */
export async function keySet(location: string): Promise<KeySource> {
  const find: JWTVerifyGetKey = /^https?:\/\//.test(location)
    ? createRemoteJWKSet(new URL(location))
    : createLocalJWKSet(JSON.parse(await readFile(location, "utf8")));
  return async (header) => {
    try {
      return await find(header, { payload: "", signature: "" });
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return undefined;
      const isToken = error instanceof errors.JOSENotSupported || error instanceof errors.JWKSMultipleMatchingKeys;
      throw isToken
        ? error
        : unavailable(`the keys at ${location} cannot be read: ${errorMessage(error)}`, { cause: error });
    }
  };
}

/** Certificates in PEM: authorities for chains in tokens, and keys that tokens name. Throws `invalid-argument`. */
export async function certificateBundle(path: string): Promise<KeySource> {
  const blocks = (await readFile(path, "utf8")).match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g);
  if (!blocks) throw invalidArgument(`access.token.rootcertbundle: there is no certificate in ${path}`);
  const roots = blocks.map((block) => new X509Certificate(block));
  const byId = new Map(roots.map((root) => [libtrustId(root.publicKey), root.publicKey]));
  return async (header) => {
    if (Array.isArray(header.x5c) && header.x5c.length > 0) return chainKey(header.x5c, roots);
    return byId.get(header.kid ?? "");
  };
}

/** The key of the first certificate, if the chain leads to a root and all of it is valid now. */
function chainKey(x5c: readonly unknown[], roots: readonly X509Certificate[]): KeyObject | undefined {
  if (x5c.length > maxChain) return undefined;
  const chain = readChain(x5c);
  const [leaf] = chain;
  let current = leaf;
  const seen = new Set<X509Certificate>();
  while (current && isCurrent(current) && !seen.has(current)) {
    const subject = current;
    seen.add(subject);
    const isIssuer = (other: X509Certificate) => subject.checkIssued(other) && subject.verify(other.publicKey);
    if (roots.some((root) => root.fingerprint256 === subject.fingerprint256)) return leaf?.publicKey;
    if (roots.some((root) => isCurrent(root) && isIssuer(root))) return leaf?.publicKey;
    current = chain.find((other) => other !== subject && other.ca && isIssuer(other));
  }
  return undefined;
}

/** Empty when one of them is no certificate. */
function readChain(x5c: readonly unknown[]): X509Certificate[] {
  try {
    return x5c.map((text) => new X509Certificate(Buffer.from(String(text), "base64")));
  } catch {
    return [];
  }
}

function isCurrent(certificate: X509Certificate): boolean {
  const now = Date.now();
  return Date.parse(certificate.validFrom) <= now && now <= Date.parse(certificate.validTo);
}

/** The key id that Docker's registry knows a key by: `ABCD:EFGH:…`. */
export function libtrustId(key: KeyObject): string {
  const der = createPublicKey(key.export({ type: "spki", format: "pem" })).export({ type: "spki", format: "der" });
  const digest = createHash("sha256").update(der).digest().subarray(0, 30);
  return (base32(digest).match(/.{4}/g) ?? []).join(":");
}

function base32(bytes: Uint8Array): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{5}/g) ?? []).map((five) => alphabet[Number.parseInt(five, 2)]).join("");
}
