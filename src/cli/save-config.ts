/** Changes to config.json: read, changed and written back at once, so that fields this program does not know stay as they are. */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ConfigValues, readConfigFile } from "./config-file.ts";

/** Replaces the file in one step; its form is docker's (tabs, `auths` always there). */
export function saveConfigValues(directory: string, change: (values: ConfigValues) => ConfigValues): void {
  const { values } = readConfigFile(directory);
  const { auths = {}, ...rest } = change(values);
  const sorted = Object.fromEntries(Object.entries(auths).sort(([a], [b]) => (a < b ? -1 : 1)));
  const changed = { auths: sorted, ...rest };
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, "config.json");
  const temporary = `${path}${process.pid}`;
  writeFileSync(temporary, JSON.stringify(changed, null, "\t"), { mode: 0o600 });
  renameSync(temporary, path);
}
