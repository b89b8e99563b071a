/** The engine's own id: the file `engine-id` of the data root, as with dockerd. Who clones a machine removes it, and the next daemon makes another. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newId } from "../base/ids.ts";
import type { Database } from "./database.ts";

/** `database` may hold the id of a data root that has no such file yet. */
export function engineId(dataRoot: string, database: Database): string {
  const path = join(dataRoot, "engine-id");
  const known = existsSync(path) ? readFileSync(path, "utf8").trim() : "";
  if (known !== "") return known;
  const kept = database.get<{ value: string }>("SELECT value FROM settings WHERE key = 'id'")?.value;
  const id = kept ?? newId();
  writeFileSync(`${path}.new`, id, { mode: 0o600, flush: true });
  renameSync(`${path}.new`, path);
  database.run("DELETE FROM settings WHERE key = 'id'");
  return id;
}
