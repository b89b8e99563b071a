/** The result as an image of the engine's, named, and pushed where that is asked for. */
import type { ProgressMessage } from "../../api/system.ts";
import { internal, invalidArgument } from "../../base/errors.ts";
import type { Exporter } from "../../buildkit-api/protocol/messages.ts";
import type { BuiltIndex } from "../../engine/images/builds/oci-manifest.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { encodeImageConfig } from "../../oci/image-config.ts";
import { familiarName, formatReference, parseReference, type Reference, withDefaultTag } from "../../oci/reference.ts";
import type { Built } from "../frontend/frontend.ts";
import type { BuiltResult } from "../frontend/platform-build.ts";
import type { VertexProgress } from "../progress.ts";
import { credentialsOf } from "../session/services.ts";
import { datedConfig } from "./dated.ts";
import type { ExportResponse, ExportScope } from "./export.ts";
import { digestResponse, indexOf } from "./result-index.ts";

export async function exportImage(exporter: Exporter, built: Built, scope: ExportScope): Promise<ExportResponse> {
  const { Attrs } = exporter;
  const names = namesOf(Attrs["name"]);
  const { deps, progress } = scope;
  using _held = deps.images.hold();
  return await progress.vertex("exporting to image").around(async (vertex) => {
    const images: Digest[] = [];
    for (const result of built.results) images.push(await createOne(exporter, result, scope, vertex));
    const [image] = images;
    if (image === undefined) throw internal("the build has no result");
    const index = await indexOf(built, images, names, scope);
    if (index) vertex.status(`exporting manifest list ${index.blob.digest}`).complete();
    if (Attrs["push-by-digest"] === "true") {
      const digest = await pushByDigest(Attrs["name"], { image, index }, scope, vertex);
      return digestResponse(image, index, digest);
    }
    for (const name of names) {
      const naming = vertex.status(`naming to ${shownName(name)}`);
      deps.images.tagBuilt(name, index?.image ?? image, index?.blob.digest);
      naming.complete();
    }
    let digest: Digest | undefined;
    if (Attrs["push"] === "true") for (const name of names) digest = await push(name, vertex, scope);
    return {
      ...digestResponse(image, index, digest),
      ...(names.length > 0 ? { "image.name": names.map(shownName).join(",") } : {}),
    };
  });
}

async function createOne(
  exporter: Exporter,
  result: BuiltResult,
  scope: ExportScope,
  vertex: VertexProgress,
): Promise<Digest> {
  const exporting = vertex.status("exporting layers");
  const config = await datedConfig(exporter, result, scope);
  if (config.rootfs.diff_ids.length > 0) exporting.complete();
  const writing = vertex.status(`writing image ${digestOf(encodeImageConfig(config))}`);
  const id = await scope.deps.images.createBuilt(config);
  writing.complete();
  return id;
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

/** A registry gets the image, and nobody a name for it: who joins platforms to an index names that. */
async function pushByDigest(
  names: string | undefined,
  { image, index }: { image: Digest; index: BuiltIndex | undefined },
  { deps, session, signal }: ExportScope,
  vertex: VertexProgress,
): Promise<Digest> {
  let digest = index?.blob.digest ?? image;
  for (const name of (names ?? "").split(",").filter(Boolean)) {
    const reference = parseReference(name);
    if (reference.tag !== undefined) throw invalidArgument(`can't push tagged ref ${name} by digest`);
    const pushing = vertex.status(`pushing ${name}`);
    const credentials = await credentialsOf(session, reference.domain, signal);
    digest = await deps.images.pushUnnamed(image, name, { credentials, signal, index, byDigest: true });
    pushing.complete();
  }
  return digest;
}

/** Resolves with the digest that the registry knows it by. */
async function push(name: Reference, vertex: VertexProgress, { deps, session, signal }: ExportScope): Promise<string> {
  const pushing = vertex.status(`pushing ${formatReference(name)}`);
  const credentials = await credentialsOf(session, name.domain, signal);
  let digest = "";
  const progress = ({ aux }: ProgressMessage) => {
    digest = (aux as { Digest?: string } | undefined)?.Digest ?? digest;
  };
  await deps.images.push(familiarName(name), { tag: name.tag, credentials, progress, signal });
  pushing.complete();
  return digest;
}
