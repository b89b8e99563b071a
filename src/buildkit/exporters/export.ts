/** What becomes of a result: an image of the engine's, archives and directories that the client gets. Source: moby/buildkit exporter/. */
import { chmodSync, mkdirSync, mkdtempSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { invalidArgument, notImplemented } from "../../base/errors.ts";
import type { BuildHistoryRecord, Exporter } from "../../buildkit-api/protocol/messages.ts";
import { mount, mountFlags, unmountIfMounted } from "../../linux/mounts/mount.ts";
import type { Digest } from "../../oci/digest.ts";
import { formatPlatform } from "../../oci/platform.ts";
import type { Built } from "../frontend/frontend.ts";
import type { BuiltResult } from "../frontend/platform-build.ts";
import type { BuildkitDependencies } from "../parts.ts";
import type { Progress } from "../progress.ts";
import type { Session } from "../session/session.ts";
import { exportArchive, exportTar } from "./archives.ts";
import { exportDirectory } from "./directory.ts";
import { withProvenance } from "./file-provenance.ts";
import { exportImage } from "./image.ts";

export interface ExportScope {
  deps: BuildkitDependencies;
  session: () => Promise<Session>;
  progress: Progress;
  /** Of the history: when the build began. */
  record: Pick<BuildHistoryRecord, "Ref" | "CreatedAt">;
  /** Place in the list of exporters: the client tells its outputs apart by it. */
  index: number;
  signal: AbortSignal;
}

export type ExportResponse = Record<string, string>;

const known = ["moby", "image", "local", "tar", "oci", "docker"];

/** Throws for exporters that nobody serves: before anything is built. */
export function checkExporter({ Type, Attrs }: Exporter): void {
  if (!known.includes(Type)) throw invalidArgument(`exporter "${Type}" could not be found`);
  if (Attrs["push-by-digest"] === "true" && Attrs["push"] !== "true") {
    throw invalidArgument("push-by-digest=true needs push=true");
  }
  for (const name of ["unpack", "store"]) {
    if (Attrs[name] !== undefined && Attrs[name] !== "false") {
      throw notImplemented(`the option ${name} of the exporter ${Type} is not supported`);
    }
  }
}

export async function exportResult(exporter: Exporter, built: Built, scope: ExportScope): Promise<ExportResponse> {
  switch (exporter.Type) {
    case "moby":
    case "image":
      return exportImage(exporter, built, scope);
    case "local":
      return exportDirectory(exporter, built, scope);
    case "tar":
      return exportTar(exporter, built, scope);
    default:
      return exportArchive(exporter, built, scope);
  }
}

/** The result's tree while `work` reads it; undefined: it has no files. */
export async function withTree<T>(
  { tree }: BuiltResult,
  { deps }: Pick<ExportScope, "deps">,
  work: (directory: string | undefined) => Promise<T>,
): Promise<T> {
  const layers: readonly Digest[] = (tree && deps.images.find(tree)?.layers) || [];
  if (layers.length === 0) return await work(undefined);
  const key = `build-${crypto.randomUUID()}`;
  deps.snapshots.prepare(key, layers, { plain: true });
  try {
    return await work(deps.snapshots.mount(key));
  } finally {
    await deps.snapshots.remove(key);
  }
}

/** All results' trees in one directory, those of several platforms each in its own: `linux_arm64`. Undefined: there is no file. */
export async function withTrees<T>(
  { results, several }: Built,
  exporter: Exporter,
  scope: Pick<ExportScope, "deps" | "record">,
  work: (directory: string | undefined) => Promise<T>,
): Promise<T> {
  const [only] = results;
  if (only && !isSplit(exporter, several)) {
    if (results.length > 1)
      throw invalidArgument("several platforms need a directory each: platform-split=false cannot be");
    return await withTree(only, scope, (directory) => withProvenance(only, directory, exporter, scope, work));
  }
  const { builder } = scope.deps;
  mkdirSync(builder.work, { recursive: true, mode: 0o700 });
  const whole = mkdtempSync(join(builder.work, "platforms-"));
  chmodSync(whole, 0o755);
  try {
    return await nested(results, whole, exporter, scope, work);
  } finally {
    // Whatever may have stayed mounted must not be deleted.
    rmdirSync(whole);
  }
}

async function nested<T>(
  [first, ...others]: readonly BuiltResult[],
  whole: string,
  exporter: Exporter,
  scope: Pick<ExportScope, "deps" | "record">,
  work: (directory: string) => Promise<T>,
): Promise<T> {
  if (!first) return await work(whole);
  const place = join(whole, formatPlatform(first.platform).replaceAll("/", "_"));
  const inPlace = async (directory: string | undefined) => {
    mkdirSync(place, { mode: 0o755 });
    try {
      if (directory !== undefined) mount({ source: directory, target: place, flags: mountFlags.bind });
      return await nested(others, whole, exporter, scope, work);
    } finally {
      unmountIfMounted(place, { detach: true });
      rmdirSync(place);
    }
  };
  return await withTree(first, scope, (directory) => withProvenance(first, directory, exporter, scope, inPlace));
}

function isSplit({ Attrs }: Exporter, several: boolean): boolean {
  const given = Attrs["platform-split"];
  return given === undefined ? several : given === "true";
}
