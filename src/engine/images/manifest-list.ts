/** The manifests behind a name, as `Manifests` of the API since 1.47: of an index every platform, here or not. */
import type { ImageManifestSummary, OciDescriptor } from "../../api/images.ts";
import type { Digest } from "../../oci/digest.ts";
import { type Descriptor, parseManifest } from "../../oci/manifest.ts";
import type { Reference } from "../../oci/reference.ts";
import type { ImageContext } from "./context.ts";
import { type ImageRecord, platformOf } from "./image-record.ts";

export interface ManifestFields {
  Descriptor?: OciDescriptor;
  Manifests?: ImageManifestSummary[];
}

/** Nothing for an image that was made here: it has no manifest before it is pushed. */
export function manifestsOf(context: ImageContext, record: ImageRecord, names: Reference[]): ManifestFields {
  const targets = names.flatMap((name) => context.store.targetOf(name) ?? []);
  const target = [...targets, ...context.store.manifests.targetsOf(record.id)].find((digest) =>
    context.content.find(digest),
  );
  if (target === undefined) return {};
  const top = describe(context, target);
  const parsed = parseManifest(context.content.read(target));
  const present = new Map(context.store.manifests.of(target).map(({ digest, image }) => [digest, image]));
  const entries = "index" in parsed ? leaves(context, parsed.index.manifests) : [top];
  return { Descriptor: top, Manifests: entries.map((entry) => toSummary(context, entry, present.get(entry.digest))) };
}

/** Indexes in indexes are gone through where they are here. */
function leaves(context: ImageContext, entries: Descriptor[], depth = 0): Descriptor[] {
  return entries.flatMap((entry) => {
    if (depth >= 4 || !context.content.find(entry.digest)) return [entry];
    const parsed = parseManifest(context.content.read(entry.digest));
    return "index" in parsed ? leaves(context, parsed.index.manifests, depth + 1) : [entry];
  });
}

function describe({ content }: ImageContext, digest: Digest): OciDescriptor {
  const { mediaType = "", size = 0 } = content.find(digest) ?? {};
  return { mediaType, digest, size };
}

function toSummary(context: ImageContext, entry: Descriptor, image: Digest | undefined): ImageManifestSummary {
  const record = image === undefined ? undefined : context.store.find(image);
  const config = record ? context.store.configBytes(record.id).length : 0;
  // The compressed layers are not kept: what is here of the content is the manifest and the config.
  const content = record ? entry.size + config : 0;
  const common = {
    ID: entry.digest,
    Descriptor: entry,
    Available: record !== undefined,
    Size: { Content: content, Total: content + (record?.size ?? 0) },
  };
  if (entry.annotations?.["vnd.docker.reference.type"] === "attestation-manifest") {
    const of = entry.annotations["vnd.docker.reference.digest"] ?? "";
    const isHere = context.content.find(entry.digest) !== undefined;
    return { ...common, Available: isHere, Kind: "attestation", AttestationData: { For: of } };
  }
  const platform = record ? platformOf(context.store.config(record.id)) : entry.platform;
  if (platform === undefined) return { ...common, Kind: "unknown" };
  const users = record
    ? context
        .usage()
        .usingImage(record.id)
        .map(({ id }) => id)
    : [];
  return {
    ...common,
    Kind: "image",
    ImageData: {
      Platform: platform,
      Size: { Unpacked: record?.size ?? 0 },
      Containers: users.length > 0 ? users : null,
    },
  };
}
