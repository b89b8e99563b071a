/** What a pushed manifest refers to, read from bytes that are kept as they came. Every refusal is MANIFEST_INVALID. */
import { errorMessage } from "../../base/errors.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { asObject, asString, asStringMap, type JsonObject, optional, parseJson } from "../../oci/json.ts";
import {
  isIndexType,
  isManifestType,
  type Manifest,
  maxManifestSize,
  mediaTypes,
  parseManifest,
  toDescriptor,
} from "../../oci/manifest.ts";
import type { NewManifest } from "../metadata/manifest-index.ts";
import { RegistryError } from "./http-error.ts";
import { checkDigest } from "./names.ts";

/** The digest is the sha256 of the bytes; the media type is the header's, which must agree with the field. */
export function readManifest(content: Uint8Array, contentType: string | null): NewManifest {
  try {
    return read(content, contentType);
  } catch (error) {
    if (error instanceof RegistryError && error.code !== "DIGEST_INVALID") throw error;
    throw new RegistryError("MANIFEST_INVALID", `manifest invalid: ${errorMessage(error)}`, { cause: error });
  }
}

function read(content: Uint8Array, contentType: string | null): NewManifest {
  const object = asObject(parseJson(content, "manifest", maxManifestSize), "manifest");
  if (object["schemaVersion"] === 1) {
    throw new RegistryError("MANIFEST_INVALID", "schema 1 manifests are not supported: push with a newer client");
  }
  const parsed = parseManifest(content);
  const mediaType = mediaTypeOf(object, "index" in parsed, contentType);
  const subject = optional(object["subject"], "subject", toDescriptor);
  const annotations = optional(object["annotations"], "annotations", asStringMap);
  const artifactType = optional(object["artifactType"], "artifactType", asString);
  const blobs = "manifest" in parsed ? blobsOf(parsed.manifest) : [];
  const manifests = "index" in parsed ? parsed.index.manifests.map((child) => checkDigest(child.digest)) : [];
  return {
    digest: digestOf(content),
    mediaType,
    content,
    ...(subject && { subject: checkDigest(subject.digest) }),
    artifactType: artifactType || ("manifest" in parsed ? parsed.manifest.config.mediaType : ""),
    ...(annotations && { annotations }),
    blobs: [...new Set(blobs)],
    manifests: [...new Set(manifests)],
  };
}

function mediaTypeOf(object: JsonObject, isIndex: boolean, contentType: string | null): string {
  const field = optional(object["mediaType"], "mediaType", asString);
  const header = contentType?.split(";")[0]?.trim().toLowerCase();
  const mediaType = header || field || (isIndex ? mediaTypes.ociIndex : mediaTypes.ociManifest);
  if (!(isIndex ? isIndexType : isManifestType)(mediaType)) {
    throw new RegistryError("MANIFEST_INVALID", `manifest invalid: media type ${mediaType} does not fit the content`);
  }
  if (field !== undefined && field !== mediaType) {
    throw new RegistryError(
      "MANIFEST_INVALID",
      `manifest invalid: media type is ${field} inside, ${mediaType} outside`,
    );
  }
  return mediaType;
}

/** Foreign layers are fetched from their URLs, so the registry need not hold them. */
function blobsOf(manifest: Manifest): Digest[] {
  const layers = manifest.layers.filter((layer) => !isForeign(layer.mediaType) && !layer.urls?.length);
  return [manifest.config, ...layers].map((blob) => checkDigest(blob.digest));
}

function isForeign(mediaType: string): boolean {
  return mediaType === mediaTypes.dockerForeignLayer || mediaType.includes(".layer.nondistributable.");
}
