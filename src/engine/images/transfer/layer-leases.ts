/** Layers that came with a pull that was broken off: kept for the next one, for a week, as its partial downloads are. */
import type { Database } from "../../../metadata/database.ts";
import type { Digest } from "../../../oci/digest.ts";

const lifetimeMillis = 7 * 24 * 3600 * 1000;

export class LayerLeases {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** From before the layer comes until an image needs it. */
  take(diffId: Digest): void {
    this.database.run("INSERT OR REPLACE INTO layer_leases VALUES (?, ?)", diffId, Date.now() + lifetimeMillis);
  }

  release(diffIds: Iterable<Digest>): void {
    for (const diffId of diffIds) this.database.run("DELETE FROM layer_leases WHERE diff_id = ?", diffId);
  }

  held(): Digest[] {
    const rows = this.database.all<{ diff_id: Digest }>(
      "SELECT diff_id FROM layer_leases WHERE expires > ?",
      Date.now(),
    );
    return rows.map((row) => row.diff_id);
  }

  /** Drops those whose time has come. */
  reconcile(): void {
    this.database.run("DELETE FROM layer_leases WHERE expires <= ?", Date.now());
  }
}
