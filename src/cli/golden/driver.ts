/** Runs every command line of command-lines.ts in one process; after each, both streams get a line of its own with the exit code. */
import { writeSync } from "node:fs";
import { cliMain } from "../cli.ts";
import { commandLines } from "./command-lines.ts";

export const mark = "\u0001";

if (import.meta.main) {
  for (const line of commandLines) {
    const code = await cliMain("docker", line, process.env);
    for (const fd of [1, 2]) writeSync(fd, `${mark}${code}${mark}`);
  }
  process.exit(0);
}
