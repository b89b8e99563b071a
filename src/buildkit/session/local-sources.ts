/**
 * The directories of clients that builds have asked for. They stay here after the build, so that the next one gets only what has
 * changed. One build uses one at a time; another that wants it meanwhile gets one of its own, which goes with it.
 */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { KeptDirectories } from "../../builder/cache/kept-directories.ts";
import type { StatusProgress } from "../progress.ts";
import { type SyncStore, syncFiles, syncStore } from "./file-sync.ts";
import type { Session } from "./session.ts";

export interface LocalSource {
  name: string;
  /** Whether it stays for the next build: for what is large. */
  keep: boolean;
  exclude: readonly string[];
  follow: readonly string[];
}

export interface ReceivedSource extends AsyncDisposable {
  directory: string;
}

export class LocalSources {
  private readonly kept: KeptDirectories;
  private readonly work: string;
  private readonly busy = new Set<string>();

  /** `work`: for those that last no longer than a build. */
  constructor(kept: KeptDirectories, work: string) {
    this.kept = kept;
    this.work = work;
  }

  /** The directory is the caller's until it is disposed of. */
  async receive(
    session: Session,
    source: LocalSource,
    options: { progress: StatusProgress; signal: AbortSignal },
  ): Promise<ReceivedSource> {
    const place = this.take(session, source);
    try {
      place.size = await syncFiles(session, { ...source, ...options, store: place.store });
      return { directory: place.store.directory, [Symbol.asyncDispose]: place.release };
    } catch (error) {
      await place.release();
      throw error;
    }
  }

  private take(
    session: Session,
    source: LocalSource,
  ): { store: SyncStore; size?: number; release: () => Promise<void> } {
    const id = createHash("sha256")
      .update(JSON.stringify([session.sharedKey, source.name, session.sharedKey === "" ? session.id : ""]))
      .digest("hex")
      .slice(0, 25);
    if (!source.keep || this.busy.has(id) || session.sharedKey === "") {
      mkdirSync(this.work, { recursive: true, mode: 0o700 });
      const directory = mkdtempSync(join(this.work, "local-"));
      return { store: syncStore(directory), release: () => rm(directory, { recursive: true, force: true }) };
    }
    const { busy } = this;
    busy.add(id);
    const place = this.kept.use(id, { type: "source.local", description: `local source for ${source.name}` });
    mkdirSync(place.path, { recursive: true, mode: 0o700 });
    return {
      store: syncStore(place.path),
      async release() {
        busy.delete(id);
        place.size = this.size;
        place[Symbol.dispose]();
      },
    };
  }
}
