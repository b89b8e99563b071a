/** Files of a result, for clients that look into what they have built. */
import { readFileSync, statSync } from "node:fs";
import { notFound } from "../../base/errors.ts";
import { resolveInRoot } from "../../linux/resolve.ts";
import { withTree } from "../exporters/export.ts";
import type { BuiltResult } from "../frontend/platform-build.ts";
import type { BuildkitDependencies } from "../parts.ts";

/** `range`: bytes; null is the whole file. Links are followed inside the result's tree. */
export function readInRoot(
  result: BuiltResult,
  deps: BuildkitDependencies,
  path: string,
  range: { Offset: number; Length: number } | null,
): Promise<Buffer> {
  return withTree(result, { deps }, async (directory) => {
    const missing = () => notFound(`open ${path}: no such file or directory`);
    if (directory === undefined) throw missing();
    let place: string;
    try {
      place = resolveInRoot(directory, path);
    } catch {
      throw missing();
    }
    if (!statSync(place).isFile()) throw missing();
    const data = readFileSync(place);
    return range ? data.subarray(range.Offset, range.Length > 0 ? range.Offset + range.Length : undefined) : data;
  });
}
