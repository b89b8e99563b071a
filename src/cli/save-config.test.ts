import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { saveConfigValues } from "./save-config.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-config-"));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("a change keeps the fields it does not know, in docker's form, readable by the owner alone", () => {
  const path = join(directory, "deep", "config.json");
  saveConfigValues(join(directory, "deep"), (old) => ({ ...old, auths: { z: { auth: "eg==" }, a: {} } }));
  const text = readFileSync(path, "utf8");
  expect(text).toBe('{\n\t"auths": {\n\t\t"a": {},\n\t\t"z": {\n\t\t\t"auth": "eg=="\n\t\t}\n\t}\n}');
  writeFileSync(path, text.replace(/\}$/, ',"somethingNew":[1]}'));
  saveConfigValues(join(directory, "deep"), (old) => ({ ...old, currentContext: "far" }));
  const values = JSON.parse(readFileSync(path, "utf8"));
  expect(values).toEqual({ auths: { a: {}, z: { auth: "eg==" } }, somethingNew: [1], currentContext: "far" });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(directory, "deep"))).toEqual(["config.json"]);
});
