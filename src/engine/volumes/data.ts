/** Where the operations on whole volumes meet the rest of the engine: getting at a volume's data, and putting other data in its place. */
import { readdirSync } from "node:fs";
import { conflict } from "../../base/errors.ts";
import { copyTree, syncFileSystem } from "./copy-tree.ts";
import { isPlain } from "./drivers/access.ts";
import { checkRecordSize, checkRequest, type Staging, type VolumeRecord } from "./volume-store.ts";
import type { Volumes } from "./volumes.ts";

/** Keeps the containers of a volume still (`engine/containers/volume-holder.ts`). */
export interface Holder {
  /** Their processes stand still, and none is started, while `work` runs. */
  whileStill<T>(volume: string, work: () => Promise<T>): Promise<T>;
  /** None is started while `work` runs. Rejects `conflict` when one runs already. */
  whileIdle<T>(volume: string, work: () => Promise<T>): Promise<T>;
}

export interface PlaceOptions {
  /** Data that is there already goes. Without: it is a `conflict`. */
  replace: boolean;
  /** Of a volume that is made. */
  labels?: Record<string, string> | null | undefined;
}

export class VolumeData {
  readonly volumes: Volumes;
  private readonly holder: Holder;

  constructor(volumes: Volumes, holder: Holder) {
    this.volumes = volumes;
    this.holder = holder;
  }

  /** Copies the volume as it is at one moment to the directory `target`, and waits until the copy is on the disk. */
  async copyOut(name: string, target: string, signal: AbortSignal): Promise<void> {
    const { access } = this.volumes;
    const record = await this.volumes.get(name);
    const user = `copy:${target}`;
    await this.holder.whileStill(name, async () => {
      const source = await access.acquire(record, user);
      try {
        await copyTree(source, target, { failure: `cannot copy volume ${name}`, signal });
      } finally {
        await access.release(record, user);
      }
    });
    await syncFileSystem(target);
  }

  /**
   * Lets `fill` write to a directory, which then becomes the data of the volume; one that is not there is made. All or nothing: until
   * the last moment the volume is as it was.
   */
  async place(name: string, options: PlaceOptions, fill: (directory: string) => Promise<void>): Promise<VolumeRecord> {
    const existing = this.check(name, options) ?? (await this.volumes.find(name));
    if (existing !== undefined) requirePlain(existing);
    await using staging = this.volumes.store.stage();
    await fill(staging.path);
    await syncFileSystem(staging.path);
    // Awaited here, for the staging must not go before.
    return await this.holder.whileIdle(name, async () => this.settle(name, options, staging));
  }

  /** Refuses early what would be refused after all the work. */
  private check(name: string, { replace, labels = null }: PlaceOptions): VolumeRecord | undefined {
    const { store } = this.volumes;
    const existing = store.find(name);
    if (existing === undefined) {
      checkRequest(name, { name });
      checkRecordSize(name, { labels });
      return undefined;
    }
    requirePlain(existing);
    if (!replace && readdirSync(store.dataPath(name)).length > 0) {
      throw conflict(`volume ${name} holds data already: it is only overwritten if you ask for that (replace)`);
    }
    return existing;
  }

  private settle(name: string, options: PlaceOptions, staging: Staging): VolumeRecord {
    const { volumes } = this;
    const existing = this.check(name, options);
    if (existing === undefined) return volumes.adopt({ name, labels: options.labels ?? null }, staging);
    volumes.store.replaceData(name, staging);
    return existing;
  }
}

function requirePlain(record: VolumeRecord): void {
  if (isPlain(record)) return;
  throw conflict(
    `the data of volume ${record.name} is not in the engine's own directory and cannot be replaced at once`,
  );
}
