/**
 * Deletes directory trees in the background. `discard` renames a tree into the trash, which takes no time and survives a crash:
 * what is found there at the next start is deleted then.
 */
import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { errorCode, errorMessage } from "../base/errors.ts";
import { newId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import { giveWay, idle } from "../linux/priority.ts";

/** How long a daemon that ends goes on deleting; the next one does the rest. */
const closingMillis = 5000;

/** How long what is discarded gathers: one process then deletes the roots of many containers, and no client waits meanwhile. */
const gatherMillis = 200;

export interface TrashOptions {
  closingMillis: number;
  /** Deletes the trees that are its arguments. */
  command: readonly string[];
}

export class Trash {
  private readonly directory: string;
  private readonly log: Logger;
  private readonly options: TrashOptions;
  private working: Promise<void> | undefined;
  private dirty = false;
  private readonly hurried = Promise.withResolvers<void>();
  private deleting: Bun.Subprocess | undefined;
  private closed = false;

  /** `directory` must be on the file system of what is discarded. */
  constructor(directory: string, log: Logger, options: Partial<TrashOptions> = {}) {
    this.directory = directory;
    this.log = log;
    this.options = { closingMillis, command: ["rm", "-rf", "--"], ...options };
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** Takes the tree away at once. Nothing may be mounted in it. A tree that does not exist is fine. Returns its place in the trash. */
  discard(path: string): string | undefined {
    const place = join(this.directory, newId());
    try {
      renameSync(path, place);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
    this.empty();
    return place;
  }

  /** Starts deleting what is in the trash. */
  empty(): void {
    if (this.closed) return;
    this.dirty = true;
    this.working ??= this.work()
      .catch((error: unknown) => this.log.warn("cannot empty the trash", { error: errorMessage(error) }))
      .finally(() => {
        this.working = undefined;
        if (this.dirty) this.empty();
      });
  }

  /** Waits until what `discard` put there is deleted, or could not be. */
  async deleted(place: string): Promise<void> {
    // It may have come too late for the round that is under way.
    for (let rounds = 0; rounds < 2 && this.working && existsSync(place); rounds++) await this.working;
  }

  /** Waits until the trash is empty; from then on nothing gathers. */
  async drain(): Promise<void> {
    this.hurried.resolve();
    while (this.working) await this.working;
  }

  /** As `drain`, but not for long: what is left then stays for the next start. */
  async close(): Promise<void> {
    const late = setTimeout(() => {
      this.closed = true;
      this.deleting?.kill();
    }, this.options.closingMillis);
    await this.drain();
    clearTimeout(late);
  }

  /** One process deletes all that has gathered since the last one started. */
  private async work(): Promise<void> {
    await Promise.race([Bun.sleep(gatherMillis), this.hurried.promise]);
    this.dirty = false;
    const paths = readdirSync(this.directory).map((name) => join(this.directory, name));
    for (let at = 0; at < paths.length && !this.closed; at += 500) {
      const child = Bun.spawn([...this.options.command, ...paths.slice(at, at + 500)], {
        detached: true,
        stderr: "pipe",
        stdout: "ignore",
      });
      giveWay(child, idle);
      this.deleting = child;
      const message = await new Response(child.stderr).text();
      const code = await child.exited;
      this.deleting = undefined;
      if (code !== 0 && !this.closed) this.log.warn("cannot delete", { error: message.trim() });
    }
  }
}
