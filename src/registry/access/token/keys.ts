/**
 * The keys that the token server signs with: made here, kept in the database, so that all instances have the same. The newest signs; those
 * before it verify as long as tokens of theirs may be about.
 */
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import type { KeyIndex, StoredKey } from "../../metadata/key-index.ts";

export type KeyAlgorithm = "ES256" | "RS256";

export interface SigningKey {
  readonly id: string;
  readonly algorithm: KeyAlgorithm;
  readonly key: CryptoKey | Uint8Array;
  readonly created: number;
}

/** How old the list may be: another instance may have made a key. */
const reloadMillis = 30_000;

export class SigningKeys {
  private readonly index: KeyIndex;
  private readonly algorithm: KeyAlgorithm;
  private readonly rotateMillis: number;
  private readonly tokenMillis: number;
  private keys: readonly { stored: StoredKey; jwk: JWK }[] = [];
  private readAt = 0;
  private making: Promise<void> | undefined;

  constructor(index: KeyIndex, algorithm: KeyAlgorithm, rotateMillis: number, tokenMillis: number) {
    this.index = index;
    this.algorithm = algorithm;
    this.rotateMillis = rotateMillis;
    this.tokenMillis = tokenMillis;
  }

  /** The key to sign with; made when there is none of this algorithm, or the newest is too old. */
  async current(): Promise<SigningKey> {
    if (this.readAt + reloadMillis < Date.now()) await this.reload();
    const newest = this.keys.find(({ jwk }) => jwk.alg === this.algorithm);
    if (newest && newest.stored.created + this.rotateMillis > Date.now()) return this.toSigningKey(newest);
    this.making ??= this.make().finally(() => {
      this.making = undefined;
    });
    await this.making;
    return this.current();
  }

  /** The public halves, for whoever verifies. */
  async publicKeys(fresh = false): Promise<JWK[]> {
    if (fresh || this.readAt + reloadMillis < Date.now()) await this.reload();
    return this.keys.map(({ jwk }) => toPublic(jwk));
  }

  private async toSigningKey({ stored, jwk }: { stored: StoredKey; jwk: JWK }): Promise<SigningKey> {
    const { id, created } = stored;
    return { id, created, algorithm: this.algorithm, key: await importJWK(jwk, this.algorithm) };
  }

  private async make(): Promise<void> {
    const pair = await generateKeyPair(this.algorithm, { extractable: true, modulusLength: 2048 });
    const jwk = await exportJWK(pair.privateKey);
    const id = await calculateJwkThumbprint(jwk);
    await this.index.add({
      id,
      private: JSON.stringify({ ...jwk, kid: id, alg: this.algorithm, use: "sig" }),
      created: Date.now(),
    });
    await this.reload();
  }

  private async reload(): Promise<void> {
    await this.index.removeOlder(Date.now() - 2 * this.rotateMillis - this.tokenMillis);
    const stored = await this.index.newestFirst();
    this.keys = stored.map((key) => ({ stored: key, jwk: JSON.parse(key.private) as JWK }));
    this.readAt = Date.now();
  }
}

function toPublic(jwk: JWK): JWK {
  const { kty, crv, x, y, n, e, kid, alg, use } = jwk;
  const fields = { kty, crv, x, y, n, e, kid, alg, use };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as JWK;
}
