/** What becomes of a result: an image of the engine's, archives and directories that the client gets. Source: moby/buildkit exporter/. */
import { invalidArgument, notImplemented } from "../../base/errors.ts";
import type { Exporter } from "../../buildkit-api/protocol/messages.ts";
import type { Digest } from "../../oci/digest.ts";
import type { BuiltResult } from "../frontend/frontend.ts";
import type { BuildkitDependencies } from "../parts.ts";
import type { Progress } from "../progress.ts";
import type { Session } from "../session/session.ts";
import { exportArchive, exportTar } from "./archives.ts";
import { exportDirectory } from "./directory.ts";
import { exportImage } from "./image.ts";

export interface ExportScope {
  deps: BuildkitDependencies;
  session: () => Promise<Session>;
  progress: Progress;
  /** Place in the list of exporters: the client tells its outputs apart by it. */
  index: number;
  signal: AbortSignal;
}

export type ExportResponse = Record<string, string>;

const known = ["moby", "image", "local", "tar", "oci", "docker"];

/** Throws for exporters that nobody serves: before anything is built. */
export function checkExporter({ Type, Attrs }: Exporter): void {
  if (!known.includes(Type)) throw invalidArgument(`exporter "${Type}" could not be found`);
  for (const name of ["push-by-digest", "unpack", "store"]) {
    if (Attrs[name] !== undefined && Attrs[name] !== "false") {
      throw notImplemented(`the option ${name} of the exporter ${Type} is not supported`);
    }
  }
}

export async function exportResult(
  exporter: Exporter,
  result: BuiltResult,
  scope: ExportScope,
): Promise<ExportResponse> {
  switch (exporter.Type) {
    case "moby":
    case "image":
      return exportImage(exporter, result, scope);
    case "local":
      return exportDirectory(exporter, result, scope);
    case "tar":
      return exportTar(exporter, result, scope);
    default:
      return exportArchive(exporter, result, scope);
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
