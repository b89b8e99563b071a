import type { Digest } from "../../../oci/digest.ts";
import type { JsonObject } from "../../../oci/json.ts";
import type { Reference } from "../../../oci/reference.ts";

/** A blob that a name stands for, byte for byte. */
export interface NamedBlob {
  digest: Digest;
  mediaType: string;
  bytes: Uint8Array;
}

/** What a name stands for, and the manifest in it that leads to an image. */
export interface Target {
  top: NamedBlob;
  manifest: NamedBlob;
}

/** An image as an archive describes it. */
export interface ArchivedImage {
  /** The exact bytes, whose digest is the image's id; or, of an archive from before there were configs, each layer's v1 JSON. */
  config: { bytes: Uint8Array } | { chain: JsonObject[] };
  /** Entries of the archive, base first. */
  layers: string[];
  tags: Reference[];
  /** The indexes that name it, with its manifest in each. */
  targets?: Target[];
  /** Another platform of a name: found by `--platform` alone. */
  variant?: true | undefined;
  /** Of an image that is here or in the same archive. */
  parent?: Digest;
}
