/** What a step may write to and nobody else sees: the changes go away with it. */
import { chmodSync, chownSync, close, copyFileSync, mkdirSync, mkdtempSync, statSync } from "node:fs";
import { join } from "node:path";
import { takeOut } from "../../linux/mounts/mount.ts";
import { mountOverlay } from "../../linux/mounts/overlay.ts";

export class WritableView implements Disposable {
  readonly path: string;
  private readonly directory: string;
  private readonly discard: (directory: string) => void;
  private readonly mounted: boolean;

  /** `source`: a directory or a file. The view is made in `work`. */
  constructor(source: string, { work, discard }: { work: string; discard: (directory: string) => void }) {
    this.directory = mkdtempSync(join(work, "view-"));
    this.discard = discard;
    this.path = join(this.directory, "view");
    this.mounted = statSync(source).isDirectory();
    try {
      if (this.mounted) this.mount(source);
      else copyFileSync(source, this.path);
    } catch (error) {
      discard(this.directory);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (this.mounted) close(takeOut(this.path));
    this.discard(this.directory);
  }

  private mount(source: string): void {
    const [upper, work] = [join(this.directory, "upper"), join(this.directory, "work")];
    const { mode, uid, gid } = statSync(source);
    for (const path of [upper, work, this.path]) mkdirSync(path);
    chmodSync(upper, mode & 0o7777);
    chownSync(upper, uid, gid);
    mountOverlay({ lower: [source], upper, work, target: this.path });
  }
}
