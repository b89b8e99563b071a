/** Results as archives that the client gets: the tree (`tar`), or the image (`oci`, `docker`). */
import { notImplemented } from "../../base/errors.ts";
import { once } from "../../base/streams.ts";
import type { Exporter } from "../../buildkit-api/protocol/messages.ts";
import type { BuiltResult } from "../frontend/frontend.ts";
import { datedConfig, epochOf } from "./dated.ts";
import { type ExportResponse, type ExportScope, withTree } from "./export.ts";
import { namesOf } from "./image.ts";
import { sendBytes } from "./send.ts";

/** Two blocks of zeros end an archive. */
const emptyArchive = Buffer.alloc(1024);

export async function exportTar(exporter: Exporter, result: BuiltResult, scope: ExportScope): Promise<ExportResponse> {
  const { deps, progress, index, signal } = scope;
  await progress.vertex("exporting to client tarball").around((vertex) =>
    withTree(result, scope, async (directory) => {
      const sending = vertex.status("sending tarball");
      const archive =
        directory === undefined
          ? once(emptyArchive)
          : await deps.exportTree(directory, signal, { always: epochOf(exporter, result) });
      await sendBytes(await scope.session(), index, archive, signal);
      sending.complete();
    }),
  );
  return {};
}

/** In both layouts at once, as `docker save`. */
export async function exportArchive(
  exporter: Exporter,
  result: BuiltResult,
  scope: ExportScope,
): Promise<ExportResponse> {
  const { deps, progress, index, signal } = scope;
  const { Type, Attrs } = exporter;
  using _held = deps.images.hold();
  if (Attrs["tar"] === "false") throw notImplemented(`the exporter ${Type} makes archives only`);
  const names = namesOf(Attrs["name"]);
  const format = Type === "oci" ? "oci" : "docker";
  return await progress.vertex(`exporting to ${format} image format`).around(async (vertex) => {
    const exporting = vertex.status("exporting layers");
    const id = await deps.images.createBuilt(await datedConfig(exporter, result, scope), { hidden: true });
    exporting.complete();
    try {
      const sending = vertex.status("sending tarball");
      await sendBytes(await scope.session(), index, await deps.images.saveAs(id, names, { signal }), signal);
      sending.complete();
    } finally {
      await deps.images.forgetCacheStep(id);
    }
    return { "containerimage.config.digest": id, "containerimage.digest": id };
  });
}
