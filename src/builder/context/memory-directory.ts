/**
 * A directory in memory, for what a build receives and throws away again: files cost a tenth there of what they cost on a disk, and
 * going away costs nothing (to delete a file from ext4 can take half a millisecond).
 */
import { close, mkdtempSync, rmdirSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { mount, takeOut } from "../../linux/mounts/mount.ts";

/** More than this of one build stays out of memory, in bytes. */
const most = 128 << 20;

export class MemoryDirectory implements Disposable {
  readonly path: string;
  /** How many bytes may be put into it. */
  readonly limit = Math.min(most, Math.floor(totalmem() / 16));
  private open = true;

  constructor(parent: string) {
    this.path = mkdtempSync(join(parent, "memory-"));
    try {
      // Twice as much: what a file takes is known only roughly.
      const data = `mode=0755,nr_inodes=0,size=${2 * this.limit}`;
      mount({ source: "gantry-build", target: this.path, type: "tmpfs", data });
    } catch (error) {
      rmdirSync(this.path);
      throw error;
    }
  }

  /** Idempotent. */
  [Symbol.dispose](): void {
    if (!this.open) return;
    this.open = false;
    close(takeOut(this.path));
    rmdirSync(this.path);
  }
}
