/**
 * Disk space that is held back, so that on a full disk the database can still record what frees space again: ends of containers,
 * removals. A file beside the database is given up when a statement finds no room, and made again when there is plenty.
 */
import { closeSync, existsSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { dirname } from "node:path";

const size = 4 << 20;
/** Between two attempts to make it again, in milliseconds. */
const pause = 10_000;

export class Reserve {
  private readonly path: string;
  private held: boolean;
  private tried = 0;

  constructor(path: string) {
    this.path = path;
    this.held = existsSync(path);
    this.restore();
  }

  /** Gives the space up. False when it has been. */
  release(): boolean {
    if (!this.held) return false;
    rmSync(this.path, { force: true });
    this.held = false;
    this.tried = Date.now();
    return true;
  }

  /** Holds the space back again if there is several times as much. Cheap, also when called often. */
  restore(): void {
    const now = Date.now();
    if (this.held || now - this.tried < pause) return;
    this.tried = now;
    const { bavail, bsize } = statfsSync(dirname(this.path));
    if (bavail * bsize < 4 * size) return;
    try {
      const descriptor = openSync(this.path, "w", 0o600);
      try {
        writeSync(descriptor, Buffer.alloc(size));
      } finally {
        closeSync(descriptor);
      }
      this.held = true;
    } catch {
      rmSync(this.path, { force: true });
    }
  }
}
