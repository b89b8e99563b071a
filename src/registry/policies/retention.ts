/** Which tags are too old to be kept. */
import { invalidArgument } from "../../base/errors.ts";
import { asStrings } from "../../oci/json.ts";
import { globExpression } from "../access/grant.ts";
import { asCount, readList } from "../config/fields.ts";
import type { Tag, TagIndex } from "../metadata/tag-index.ts";

export interface RetentionRule {
  /** Globs. */
  readonly repositories: readonly string[];
  readonly tags: readonly string[];
  /** So many of the newest stay. */
  readonly keep: number;
  /** Those stay that were set in so many days. */
  readonly days: number;
}

const dayMillis = 24 * 60 * 60 * 1000;

export class Retention {
  private readonly rules: readonly { repositories: RegExp[]; tags: RegExp[]; keep: number; millis: number }[];
  private readonly tags: TagIndex;
  private readonly isImmutable: (repository: string, tag: string) => boolean;

  constructor(
    rules: readonly RetentionRule[],
    tags: TagIndex,
    isImmutable: (repository: string, tag: string) => boolean,
  ) {
    this.rules = rules.map((rule) => ({
      repositories: rule.repositories.map(globExpression),
      tags: rule.tags.map(globExpression),
      keep: rule.keep,
      millis: rule.days * dayMillis,
    }));
    this.tags = tags;
    this.isImmutable = isImmutable;
  }

  /** Whether any rule is about the repository: what its rules leave without a tag is collected. */
  concerns(repository: string): boolean {
    return this.rules.some((rule) => rule.repositories.some((glob) => glob.test(repository)));
  }

  /** Removes the tags that their rules do not keep; returns how many. One that is set again meanwhile stays. */
  async run(now: number): Promise<number> {
    if (this.rules.length === 0) return 0;
    let removed = 0;
    for await (const repository of this.tags.allRepositories()) {
      if (!this.concerns(repository)) continue;
      for (const tag of this.expired(repository, await this.tags.newest(repository), now)) {
        if (await this.tags.delete(repository, tag.name, tag.updated)) removed++;
      }
    }
    return removed;
  }

  /** Of tags in the order newest first. A tag goes when a rule is about it and no rule keeps it. */
  private expired(repository: string, tags: readonly Tag[], now: number): Tag[] {
    const kept = new Set<Tag>();
    const meant = new Set<Tag>();
    for (const rule of this.rules) {
      if (!rule.repositories.some((glob) => glob.test(repository))) continue;
      const matching = tags.filter((tag) => rule.tags.some((glob) => glob.test(tag.name)));
      for (const [place, tag] of matching.entries()) {
        meant.add(tag);
        if (place < rule.keep || tag.updated >= now - rule.millis) kept.add(tag);
      }
    }
    return [...meant].filter((tag) => !kept.has(tag) && !this.isImmutable(repository, tag.name));
  }
}

/** The key `retention`. Throws `invalid-argument`. */
export function parseRetention(value: unknown, at: string): RetentionRule[] {
  return readList(value, at, ["repositories", "tags", "keep", "days"], (object, what) => {
    const { tags = ["**"], keep = 0, days = 0 } = object;
    if (keep === 0 && days === 0) throw invalidArgument(`${what}: needs keep or days, or it would keep nothing`);
    return {
      repositories: asStrings(object["repositories"], `${what}.repositories`),
      tags: asStrings(tags, `${what}.tags`),
      keep: asCount(keep, `${what}.keep`),
      days: asCount(days, `${what}.days`),
    };
  });
}
