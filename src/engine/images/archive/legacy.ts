/**
 * Archives of Docker before 1.10: `repositories` and a directory per layer with `json` and `layer.tar`. The config, which did not exist
 * then, is put together from the chain of v1 JSON files, as dockerd does.
 */
import { invalidArgument } from "../../../base/errors.ts";
import type { Digest } from "../../../oci/digest.ts";
import { encodeImageConfig, type ImageConfig, maxConfigSize, toRunConfig } from "../../../oci/image-config.ts";
import { asObject, asString, asStringMap, type JsonObject, optional, parseJson } from "../../../oci/json.ts";
import { parseReference, withTag } from "../../../oci/reference.ts";
import type { ArchivedImage } from "./archived-image.ts";
import type { ArchiveContents } from "./contents.ts";

const maxChain = 1000;
/** Of v1 layers, not of images. */
const layerFields = new Set(["id", "parent", "parent_id", "layer_id", "throwaway", "Size"]);

export function describeLegacy(contents: ArchiveContents): ArchivedImage[] {
  const repositories = asObject(
    parseJson(contents.read("repositories"), "repositories", maxConfigSize),
    "repositories",
  );
  const images = new Map<string, ArchivedImage>();
  for (const [name, tags] of Object.entries(repositories)) {
    for (const [tag, id] of Object.entries(asStringMap(tags, `repositories.${name}`))) {
      const image = images.get(id) ?? describeChain(contents, id);
      images.set(id, image);
      image.tags.push(withTag(parseReference(name), tag));
    }
  }
  return [...images.values()];
}

function describeChain(contents: ArchiveContents, top: string): ArchivedImage {
  const chain: JsonObject[] = [];
  const layers: string[] = [];
  for (let id: string | undefined = top; id !== undefined; ) {
    if (!/^[a-f0-9]{64}$/.test(id)) throw invalidArgument(`invalid image ID "${id}"`);
    if (chain.length >= maxChain) throw invalidArgument("the archive's layers form a cycle");
    const json = asObject(parseJson(contents.read(`${id}/json`), `${id}/json`, maxConfigSize), `${id}/json`);
    chain.unshift(json);
    layers.unshift(`${id}/layer.tar`);
    id = optional(json["parent"], `${id}/json.parent`, asString);
  }
  return { config: { chain }, layers, tags: [] };
}

/** The config that these v1 layers would have today. */
export function legacyConfig(chain: JsonObject[], diffIds: Digest[]): Uint8Array {
  const top = chain.at(-1) ?? {};
  const kept = Object.fromEntries(Object.entries(top).filter(([key]) => !layerFields.has(key)));
  const history = chain.map((json) => {
    const created = optional(json["created"], "created", asString);
    const author = optional(json["author"], "author", asString);
    const comment = optional(json["comment"], "comment", asString);
    const command = optional(json["container_config"], "container_config", toRunConfig)?.Cmd?.join(" ");
    return {
      ...(created && { created }),
      ...(author && { author }),
      ...(command && { created_by: command }),
      ...(comment && { comment }),
    };
  });
  return encodeImageConfig({ ...kept, history, rootfs: { type: "layers", diff_ids: diffIds } } as ImageConfig);
}
