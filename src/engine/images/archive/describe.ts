/** Which images an archive holds: `docker save` of any age (manifest.json, or `repositories` alone) or an OCI image layout. */
import { invalidArgument } from "../../../base/errors.ts";
import { digestOf, isSha256 } from "../../../oci/digest.ts";
import { asArray, asObject, asString, asStrings, optional, parseJson } from "../../../oci/json.ts";
import type { Platform } from "../../../oci/platform.ts";
import { parseReference, type Reference } from "../../../oci/reference.ts";
import type { ArchivedImage } from "./archived-image.ts";
import type { ArchiveContents } from "./contents.ts";
import { describeLegacy } from "./legacy.ts";
import { describeLayout, holdsIndexes } from "./oci-layout.ts";

const maxIndexSize = 8 << 20;

/** Throws `invalid-argument` for an archive that is none of these, or that is inconsistent. */
export function describeArchive(contents: ArchiveContents, wanted?: Platform): ArchivedImage[] {
  const manifest = contents.find("manifest.json");
  if (manifest && !holdsIndexes(contents)) return describeDockerArchive(contents, manifest);
  if (contents.find("index.json")) return describeLayout(contents, wanted);
  if (contents.find("repositories")) return describeLegacy(contents);
  throw invalidArgument("invalid archive: it has no manifest.json, index.json or repositories");
}

/** https://github.com/moby/moby/blob/master/image/spec/spec.md#combined-image-json--filesystem-changeset-format */
function describeDockerArchive(contents: ArchiveContents, manifest: Uint8Array): ArchivedImage[] {
  const items = optional(parseJson(manifest, "manifest.json", maxIndexSize), "manifest.json", asArray) ?? [];
  return items.map((item, index) => {
    const what = `manifest.json[${index}]`;
    const object = asObject(item, what);
    const config = contents.read(asString(object["Config"], `${what}.Config`));
    const tags = (optional(object["RepoTags"], `${what}.RepoTags`, asStrings) ?? []).map(parseTag);
    const parent = optional(object["Parent"], `${what}.Parent`, asString);
    if (parent && !isSha256(parent)) throw invalidArgument(`invalid parent image ID "${parent}"`);
    return {
      config: { bytes: config },
      layers: optional(object["Layers"], `${what}.Layers`, asStrings) ?? [],
      tags,
      ...(parent && parent !== digestOf(config) ? { parent } : {}),
    };
  });
}

export function parseTag(text: string): Reference {
  const reference = parseReference(text);
  if (reference.tag === undefined) throw invalidArgument(`invalid tag "${text}"`);
  return reference;
}
