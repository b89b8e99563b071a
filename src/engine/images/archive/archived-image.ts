import type { Digest } from "../../../oci/digest.ts";
import type { JsonObject } from "../../../oci/json.ts";
import type { Reference } from "../../../oci/reference.ts";

/** An image as an archive describes it. */
export interface ArchivedImage {
  /** The exact bytes, whose digest is the image's id; or, of an archive from before there were configs, each layer's v1 JSON. */
  config: { bytes: Uint8Array } | { chain: JsonObject[] };
  /** Entries of the archive, base first. */
  layers: string[];
  tags: Reference[];
  /** Of an image that is here or in the same archive. */
  parent?: Digest;
}
