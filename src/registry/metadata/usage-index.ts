/** How many bytes a namespace holds. */
import type { Digest } from "../../oci/digest.ts";
import { type Database, get } from "./database.ts";

export class UsageIndex {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** Bytes of the blobs of a namespace, each counted once, and whether this one is among them. An empty namespace is all there is. */
  async of(namespace: string, digest: Digest): Promise<{ used: number; holds: boolean }> {
    // The character after the slash ends the range of names that begin with the namespace and a slash.
    const bounds = namespace === "" ? ["", "", "~"] : [namespace, `${namespace}/`, `${namespace}0`];
    const inside = "SELECT digest FROM links WHERE repository = ? OR (repository >= ? AND repository < ?)";
    const row = await this.database.run(
      get<{ used: number; holds: number | boolean }>(
        `SELECT (SELECT COALESCE(sum(size), 0) FROM blobs WHERE digest IN (${inside})) AS used,
           EXISTS (SELECT 1 FROM links WHERE digest = ? AND (repository = ? OR (repository >= ? AND repository < ?))) AS holds`,
        ...[...bounds, digest, ...bounds],
      ),
    );
    return { used: Number(row?.used ?? 0), holds: Boolean(row?.holds) };
  }
}
