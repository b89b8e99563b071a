/** Test fixture: volumes of a host without plugins, in a directory that goes when they are disposed of. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { notFound } from "../../base/errors.ts";
import { Database } from "../../metadata/database.ts";
import { VolumeStore } from "./volume-store.ts";
import { type VolumeEvent, Volumes } from "./volumes.ts";

export class ScratchVolumes implements Disposable {
  // First, for a database that cannot be made must not leave a directory.
  readonly database = new Database(":memory:");
  /** The test's own; the engine's data is in `dataRoot`. */
  readonly directory = mkdtempSync(join(tmpdir(), "gantry-volumes-"));
  readonly dataRoot = join(this.directory, "data");
  readonly events: VolumeEvent[] = [];
  /** Ids of the containers that use a volume, by its name: the test says so. */
  readonly users = new Map<string, string[]>();
  readonly usage = { usingVolume: (name: string) => this.users.get(name) ?? [] };
  readonly volumes = new Volumes({
    store: new VolumeStore(this.database, join(this.dataRoot, "volumes")),
    usage: this.usage,
    drivers: {
      async get(name) {
        throw notFound(`error looking up volume plugin ${name}: plugin ${JSON.stringify(name)} not found`);
      },
      all: async () => [],
    },
    publish: (event) => void this.events.push(event),
  });

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
    this.database.close();
  }
}
