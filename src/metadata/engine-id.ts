/** The engine's own id. */
import { newId } from "../base/ids.ts";
import type { Database } from "./database.ts";

/** Made once per data root. */
export function engineId(database: Database): string {
  database.run("INSERT OR IGNORE INTO settings VALUES ('id', ?)", newId());
  return database.get<{ value: string }>("SELECT value FROM settings WHERE key = 'id'")?.value ?? "";
}
