/** Rules about what may be stored: tags that stay what they are, and how many bytes a namespace may hold. */
import { invalidArgument } from "../../base/errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { asSize, asString, asStrings } from "../../oci/json.ts";
import { globExpression } from "../access/grant.ts";
import { RegistryError } from "../api/http-error.ts";
import { readList } from "../config/fields.ts";
import type { UsageIndex } from "../metadata/usage-index.ts";

export interface Quota {
  /** `team` stands for the repositories `team` and `team/…`; empty for all. */
  readonly namespace: string;
  /** Of blobs, each counted once. */
  readonly bytes: number;
}

export class Policies {
  private readonly immutable: readonly { repository: RegExp; tag: RegExp }[];
  private readonly quotas: readonly Quota[];
  private readonly usage: UsageIndex;

  constructor(immutable: readonly string[], quotas: readonly Quota[], usage: UsageIndex) {
    this.immutable = immutable.map(parseImmutable);
    this.quotas = quotas;
    this.usage = usage;
  }

  /** Whether the tag, once set, points at the same manifest for good. */
  isImmutable(repository: string, tag: string): boolean {
    return this.immutable.some((rule) => rule.repository.test(repository) && rule.tag.test(tag));
  }

  /** Throws DENIED when the repository may not hold a further blob of this size. */
  async admit(repository: string, digest: Digest, size: number): Promise<void> {
    for (const { namespace, bytes } of this.quotas) {
      if (!belongs(repository, namespace)) continue;
      const { used, holds } = await this.usage.of(namespace, digest);
      if (holds || used + size <= bytes) continue;
      throw new RegistryError(
        "DENIED",
        `quota of ${namespace === "" ? "the registry" : `namespace ${namespace}`} exceeded: ${used} of ${bytes} bytes are used, the blob has ${size}`,
        { detail: { namespace, used, bytes, size } },
      );
    }
  }
}

function belongs(repository: string, namespace: string): boolean {
  return namespace === "" || repository === namespace || repository.startsWith(`${namespace}/`);
}

/** `repositories:tags`, both globs. */
function parseImmutable(text: string): { repository: RegExp; tag: RegExp } {
  const colon = text.lastIndexOf(":");
  if (colon <= 0) throw invalidArgument(`tags.immutable: ${text} is not repositories:tags`);
  return { repository: globExpression(text.slice(0, colon)), tag: globExpression(text.slice(colon + 1)) };
}

/** The key `tags.immutable`. Throws `invalid-argument`. */
export function parseImmutables(value: unknown, at: string): string[] {
  const texts = asStrings(value, at);
  texts.forEach(parseImmutable);
  return texts;
}

/** The key `quotas`. Throws `invalid-argument`. */
export function parseQuotas(value: unknown, at: string): Quota[] {
  return readList(value, at, ["namespace", "bytes"], (object, what) => ({
    namespace: asString(object["namespace"], `${what}.namespace`),
    bytes: asSize(object["bytes"], `${what}.bytes`),
  }));
}
