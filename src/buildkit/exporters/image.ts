/** The result as an image of the engine's, named, and pushed where that is asked for. */
import { invalidArgument } from "../../base/errors.ts";
import type { Exporter } from "../../buildkit-api/protocol/messages.ts";
import { digestOf } from "../../oci/digest.ts";
import { encodeImageConfig } from "../../oci/image-config.ts";
import { familiarName, formatReference, parseReference, type Reference, withDefaultTag } from "../../oci/reference.ts";
import type { BuiltResult } from "../frontend/frontend.ts";
import type { VertexProgress } from "../progress.ts";
import { credentialsOf } from "../session/services.ts";
import { datedConfig } from "./dated.ts";
import type { ExportResponse, ExportScope } from "./export.ts";

export async function exportImage(
  exporter: Exporter,
  result: BuiltResult,
  scope: ExportScope,
): Promise<ExportResponse> {
  const { Attrs } = exporter;
  const names = namesOf(Attrs["name"]);
  const { deps, progress } = scope;
  using _held = deps.images.hold();
  return await progress.vertex("exporting to image").around(async (vertex) => {
    const exporting = vertex.status("exporting layers");
    const config = await datedConfig(exporter, result, scope);
    if (config.rootfs.diff_ids.length > 0) exporting.complete();
    const expected = digestOf(encodeImageConfig(config));
    const writing = vertex.status(`writing image ${expected}`);
    const id = await deps.images.createBuilt(config);
    writing.complete();
    for (const name of names) {
      const naming = vertex.status(`naming to ${shownName(name)}`);
      await deps.images.tag(id, familiarName(name), name.tag ?? "latest");
      naming.complete();
    }
    if (Attrs["push"] === "true") for (const name of names) await push(name, vertex, scope);
    return {
      "containerimage.config.digest": id,
      "containerimage.digest": id,
      ...(names.length > 0 ? { "image.name": names.map(shownName).join(",") } : {}),
    };
  });
}

/** With the registry, and the tag that was given. */
function shownName(name: Reference): string {
  const whole = formatReference(name);
  return name.tag === "latest" ? whole.slice(0, -":latest".length) : whole;
}

/** Comma-separated, as clients send them. */
export function namesOf(text: string | undefined): Reference[] {
  return (text ?? "")
    .split(",")
    .filter(Boolean)
    .map((name) => {
      const reference = parseReference(name);
      if (reference.digest !== undefined) throw invalidArgument(`invalid image name ${name}: a digest cannot be given`);
      return withDefaultTag(reference);
    });
}

async function push(name: Reference, vertex: VertexProgress, { deps, session, signal }: ExportScope): Promise<void> {
  const pushing = vertex.status(`pushing ${formatReference(name)}`);
  const credentials = await credentialsOf(session, name.domain, signal);
  await deps.images.push(familiarName(name), { tag: name.tag, credentials, progress: () => undefined, signal });
  pushing.complete();
}
