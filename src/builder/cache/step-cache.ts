/**
 * The build cache: the image that a step led to, under a key made of the image it started from and everything that it depends on:
 * its words, its arguments, the contents of the files it copies, never their times. An entry lives as long as its image.
 */
import type { Database } from "../../metadata/database.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";

export interface CacheEntry {
  key: string;
  image: Digest;
  description: string;
  /** Milliseconds since 1970. */
  created: number;
  used: number;
  uses: number;
}

/** A key of the parts, in order. */
export function cacheKey(...parts: unknown[]): string {
  return digestOf(Buffer.from(JSON.stringify(parts)));
}

export class StepCache {
  private readonly database: Database;
  private readonly exists: (image: Digest) => boolean;
  /** Hits that the database does not know yet: a transaction for each would take longer than the rest of a cached build. */
  private readonly used = new Map<string, number>();
  private readonly running = new Map<string, Promise<Digest>>();

  constructor(database: Database, exists: (image: Digest) => boolean) {
    this.database = database;
    this.exists = exists;
  }

  find(key: string): Digest | undefined {
    const row = this.database.get<{ image: Digest }>("SELECT image FROM build_cache WHERE key = ?", key);
    if (!row) return undefined;
    if (this.exists(row.image)) {
      this.used.set(key, (this.used.get(key) ?? 0) + 1);
      return row.image;
    }
    this.database.run("DELETE FROM build_cache WHERE key = ?", key);
    return undefined;
  }

  /** Does the work unless the same is being done by another build, whose result then counts; remembers the result. */
  async build(key: string, description: string, work: () => Promise<Digest>): Promise<Digest> {
    const other = this.running.get(key);
    if (other) {
      // If it fails there, for instance because that build was cancelled, this build tries for itself.
      const found = await other.catch(() => undefined);
      if (found !== undefined) return found;
      return this.build(key, description, work);
    }
    const own = work();
    this.running.set(key, own);
    try {
      const image = await own;
      this.record(key, image, description);
      return image;
    } finally {
      this.running.delete(key);
    }
  }

  /** Whether a build is at this step. */
  isRunning(key: string): boolean {
    return this.running.has(key);
  }

  record(key: string, image: Digest, description: string): void {
    const now = Date.now();
    this.database.run(
      "INSERT OR REPLACE INTO build_cache VALUES (?, ?, ?, ?, ?, 0)",
      key,
      image,
      description,
      now,
      now,
    );
  }

  /** Writes down what was used. To be called at the end of each build. */
  flush(): void {
    if (this.used.size === 0) return;
    this.database.transaction(() => {
      for (const [key, hits] of this.used) {
        this.database.run("UPDATE build_cache SET used = ?, uses = uses + ? WHERE key = ?", Date.now(), hits, key);
      }
    });
    this.used.clear();
  }

  /** Least recently used first. */
  list(): CacheEntry[] {
    this.flush();
    return this.database
      .all<CacheEntry>("SELECT * FROM build_cache ORDER BY used, created")
      .filter(({ image }) => this.exists(image));
  }

  forget(key: string): void {
    this.database.run("DELETE FROM build_cache WHERE key = ?", key);
  }
}
