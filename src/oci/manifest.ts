/**
 * Manifests and indexes, in Docker's and OCI's dialect.
 * https://github.com/opencontainers/image-spec/blob/main/manifest.md, image-index.md and descriptor.md
 */
import { invalidArgument } from "../base/errors.ts";
import { type Digest, parseDigest } from "./digest.ts";
import { asArray, asObject, asSize, asString, asStringMap, asStrings, optional, parseJson } from "./json.ts";
import type { Platform } from "./platform.ts";

export const mediaTypes = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  ociLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  ociLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  dockerForeignLayer: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
} as const;

export interface Descriptor {
  mediaType: string;
  digest: Digest;
  size: number;
  urls?: string[];
  annotations?: Record<string, string>;
  platform?: Platform & { "os.version"?: string; "os.features"?: string[] };
  artifactType?: string;
  /** Base64. */
  data?: string;
}

export interface Manifest {
  schemaVersion: 2;
  mediaType?: string;
  artifactType?: string;
  config: Descriptor;
  layers: Descriptor[];
  subject?: Descriptor;
  annotations?: Record<string, string>;
}

export interface Index {
  schemaVersion: 2;
  mediaType?: string;
  manifests: Descriptor[];
  annotations?: Record<string, string>;
}

/** Distribution's own limit on manifests. */
export const maxManifestSize = 4 << 20;
const maxLayers = 1000;

export function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerIndex;
}

export function isManifestType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociManifest || mediaType === mediaTypes.dockerManifest;
}

/** A manifest or an index, told apart by its fields (the media type is optional in OCI). Throws `invalid-argument`. */
export function parseManifest(bytes: Uint8Array): { manifest: Manifest } | { index: Index } {
  const object = asObject(parseJson(bytes, "manifest", maxManifestSize), "manifest");
  // 0 is what a Go program writes that forgot it.
  if (object["schemaVersion"] !== 2 && object["schemaVersion"] !== 0) {
    throw invalidArgument(`unsupported manifest schema version ${JSON.stringify(object["schemaVersion"])}`);
  }
  const mediaType = optional(object["mediaType"], "mediaType", asString);
  const annotations = optional(object["annotations"], "annotations", asStringMap);
  const common = { schemaVersion: 2 as const, ...(mediaType && { mediaType }), ...(annotations && { annotations }) };
  if ("manifests" in object && !("layers" in object)) {
    const manifests = optional(object["manifests"], "manifests", asArray) ?? [];
    return { index: { ...common, manifests: manifests.map((item, at) => toDescriptor(item, `manifests[${at}]`)) } };
  }
  const layers = optional(object["layers"], "layers", asArray) ?? [];
  if (layers.length > maxLayers) throw invalidArgument(`manifest has more than ${maxLayers} layers`);
  const subject = optional(object["subject"], "subject", toDescriptor);
  const artifactType = optional(object["artifactType"], "artifactType", asString);
  return {
    manifest: {
      ...common,
      ...(artifactType && { artifactType }),
      config: toDescriptor(object["config"], "config"),
      layers: layers.map((item, at) => toDescriptor(item, `layers[${at}]`)),
      ...(subject && { subject }),
    },
  };
}

/** Checks the fields of a descriptor; unknown ones are dropped. */
export function toDescriptor(value: unknown, what: string): Descriptor {
  const object = asObject(value, what);
  const urls = optional(object["urls"], `${what}.urls`, asStrings);
  const annotations = optional(object["annotations"], `${what}.annotations`, asStringMap);
  const artifactType = optional(object["artifactType"], `${what}.artifactType`, asString);
  const data = optional(object["data"], `${what}.data`, asString);
  const platform = optional(object["platform"], `${what}.platform`, toPlatform);
  return {
    mediaType: optional(object["mediaType"], `${what}.mediaType`, asString) ?? "",
    digest: parseDigest(asString(object["digest"], `${what}.digest`)),
    size: asSize(object["size"], `${what}.size`),
    ...(urls && { urls }),
    ...(annotations && { annotations }),
    ...(artifactType && { artifactType }),
    ...(data && { data }),
    ...(platform && { platform }),
  };
}

function toPlatform(value: unknown, what: string): NonNullable<Descriptor["platform"]> {
  const object = asObject(value, what);
  const variant = optional(object["variant"], `${what}.variant`, asString);
  const version = optional(object["os.version"], `${what}.os.version`, asString);
  return {
    os: optional(object["os"], `${what}.os`, asString) ?? "",
    architecture: optional(object["architecture"], `${what}.architecture`, asString) ?? "",
    ...(variant && { variant }),
    ...(version && { "os.version": version }),
  };
}
