/** Results as archives that the client gets: the tree (`tar`), or the image (`oci`, `docker`). */
import { internal, invalidArgument } from "../../base/errors.ts";
import { once } from "../../base/streams.ts";
import type { Exporter } from "../../buildkit-api/protocol/messages.ts";
import type { BuiltIndex } from "../../engine/images/builds/oci-manifest.ts";
import type { Digest } from "../../oci/digest.ts";
import { formatReference, type Reference } from "../../oci/reference.ts";
import type { Built } from "../frontend/frontend.ts";
import type { VertexProgress } from "../progress.ts";
import { datedConfig, epochOf } from "./dated.ts";
import { type ExportResponse, type ExportScope, withTrees } from "./export.ts";
import { namesOf } from "./image.ts";
import { digestResponse, indexOf } from "./result-index.ts";
import { sendBytes, writeContent } from "./send.ts";

/** Two blocks of zeros end an archive. */
const emptyArchive = Buffer.alloc(1024);

export async function exportTar(exporter: Exporter, built: Built, scope: ExportScope): Promise<ExportResponse> {
  const { deps, progress, index, signal } = scope;
  await progress.vertex("exporting to client tarball").around((vertex) =>
    withTrees(built, exporter, scope, async (directory) => {
      const sending = vertex.status("sending tarball");
      const archive =
        directory === undefined
          ? once(emptyArchive)
          : await deps.exportTree(directory, signal, { always: epochOf(exporter, built) });
      await sendBytes(await scope.session(), index, archive, signal);
      sending.complete();
    }),
  );
  return {};
}

/** In both layouts at once, as `docker save`. */
export async function exportArchive(exporter: Exporter, built: Built, scope: ExportScope): Promise<ExportResponse> {
  const { deps, progress, index, signal } = scope;
  const { Type, Attrs } = exporter;
  using _held = deps.images.hold();
  const names = namesOf(Attrs["name"]);
  if (Type === "docker" && built.results.length > 1) {
    throw invalidArgument("docker exporter does not currently support exporting manifest lists");
  }
  const format = Type === "oci" ? "oci" : "docker";
  return await progress.vertex(`exporting to ${format} image format`).around(async (vertex) => {
    const exporting = vertex.status("exporting layers");
    const images: Digest[] = [];
    try {
      for (const result of built.results) {
        const config = await datedConfig(exporter, result, scope);
        images.push(await deps.images.createBuilt(config, { hidden: true }));
      }
      exporting.complete();
      const [image] = images;
      if (image === undefined) throw internal("the build has no result");
      const list = await indexOf(built, images, names, scope);
      if (Attrs["tar"] === "false") return await exportLayout({ image, images, index: list }, names, scope, vertex);
      const sending = vertex.status("sending tarball");
      const archive = await deps.images.saveAs(images, names, { signal, index: list });
      await sendBytes(await scope.session(), index, archive, signal);
      sending.complete();
      return digestResponse(image, list);
    } finally {
      for (const image of new Set(images)) await deps.images.forgetCacheStep(image);
    }
  });
}

/** A directory of the client's, whose index.json the client writes. */
async function exportLayout(
  result: { image: Digest; images: readonly Digest[]; index: BuiltIndex | undefined },
  names: readonly Reference[],
  scope: ExportScope,
  vertex: VertexProgress,
): Promise<ExportResponse> {
  const top = await writeContent(result, "export", scope, vertex);
  return {
    ...digestResponse(result.image, result.index, top.digest),
    "containerimage.descriptor": Buffer.from(JSON.stringify(top)).toString("base64"),
    ...(names.length > 0 ? { "image.name": names.map((name) => formatReference(name)).join(",") } : {}),
  };
}
