import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database } from "./database.ts";
import { engineId } from "./engine-id.ts";

test("the file decides; without it there is another id, but that of a data root from before goes into the file", () => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-id-"));
  const file = join(directory, "engine-id");
  const database = new Database(":memory:");
  database.run("INSERT INTO settings VALUES ('id', 'from-before')");
  expect(engineId(directory, database)).toBe("from-before");
  expect(readFileSync(file, "utf8")).toBe("from-before");
  rmSync(file);
  const made = engineId(directory, database);
  expect(made).toMatch(/^[\da-f]{64}$/);
  expect(engineId(directory, database)).toBe(made);
  writeFileSync(file, "chosen\n");
  expect(engineId(directory, database)).toBe("chosen");
  database.close();
  rmSync(directory, { recursive: true });
});
