/**
 * Provenance of files that leave as they are: `provenance.json` beside them, about each by its digest. Source: moby/buildkit
 * exporter/local/fs.go.
 */
import { type Dirent, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Exporter } from "../../buildkit-api/protocol/messages.ts";
import { Digester } from "../../oci/digest.ts";
import type { BuiltResult } from "../frontend/platform-build.ts";
import { predicateTypes } from "../provenance/predicate.ts";
import { type Subject, statement } from "../provenance/statement.ts";
import type { ExportScope } from "./export.ts";
import { predicateOf } from "./result-index.ts";

/** The result's tree with it, where it is wanted. `directory`: the tree, which is the caller's alone; undefined: there are no files. */
export async function withProvenance<T>(
  result: BuiltResult,
  directory: string | undefined,
  { Attrs }: Exporter,
  scope: Pick<ExportScope, "deps" | "record">,
  work: (directory: string | undefined) => Promise<T>,
): Promise<T> {
  const { provenance } = result;
  if (!provenance) return await work(directory);
  const own = directory ?? mkdtempSync(join(scope.deps.builder.work, "provenance-"));
  try {
    const subjects = await filesOf(own, own);
    const said = statement(predicateTypes[provenance.version], predicateOf(result, provenance, scope.record), subjects);
    const path = join(own, `${Attrs["attestation-prefix"] ?? ""}provenance.json`.replaceAll("/", "_"));
    // Whatever the build has left there is not followed.
    rmSync(path, { recursive: true, force: true });
    writeFileSync(path, JSON.stringify(said, undefined, 2), { mode: 0o600, flag: "wx" });
    return await work(own);
  } finally {
    if (directory === undefined) rmSync(own, { recursive: true, force: true });
  }
}

/** Regular files, in the order of their names. Nothing but this process is in the tree: what was a directory stays one. */
async function filesOf(root: string, directory: string): Promise<Subject[]> {
  const found: Subject[] = [];
  const entries: Dirent[] = await readdir(directory, { withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) found.push(...(await filesOf(root, path)));
    if (!entry.isFile()) continue;
    const digester = new Digester();
    for await (const chunk of Bun.file(path).stream()) digester.update(chunk);
    found.push({ name: relative(root, path), digest: digester.digest() });
  }
  return found;
}
