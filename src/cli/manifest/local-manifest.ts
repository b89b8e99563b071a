/** A manifest as `docker manifest` keeps it and shows it with --verbose: with its reference and, in the descriptor, its platform. */
import { invalidArgument } from "../../base/errors.ts";
import { asObject, parseJson } from "../../oci/json.ts";
import { type Descriptor, type Manifest, maxManifestSize, mediaTypes, parseManifest } from "../../oci/manifest.ts";
import { CliError } from "../command.ts";

export interface ManifestPlatform {
  architecture: string;
  os: string;
  "os.version"?: string;
  "os.features"?: string[];
  variant?: string;
}

export interface LocalManifest {
  Ref: string;
  Descriptor: { mediaType: string; digest: string; size: number; platform?: ManifestPlatform };
  /** Base64 of the very bytes. */
  Raw: string;
  /** The parsed bytes, in one of two dialects. */
  SchemaV2Manifest?: object;
  OCIManifest?: object;
}

export function newLocalManifest(
  ref: string,
  bytes: Uint8Array,
  descriptor: Pick<Descriptor, "mediaType" | "digest">,
  platform: ManifestPlatform | undefined,
): LocalManifest {
  const { mediaType, digest } = descriptor;
  const parsed = asObject(parseJson(bytes, "manifest", maxManifestSize), "manifest");
  return {
    Ref: ref,
    Descriptor: { mediaType, digest, size: bytes.length, ...(platform ? { platform } : {}) },
    Raw: Buffer.from(bytes).toString("base64"),
    ...(mediaType === mediaTypes.ociManifest ? { OCIManifest: parsed } : { SchemaV2Manifest: parsed }),
  };
}

export function rawBytes({ Raw }: LocalManifest): Uint8Array {
  return Buffer.from(Raw, "base64");
}

export function manifestOf(local: LocalManifest): Manifest {
  const parsed = parseManifest(rawBytes(local));
  if ("index" in parsed) throw invalidArgument(`${local.Ref} is a manifest list`);
  return parsed.manifest;
}

/** The list of these manifests, byte for byte as docker writes it. Throws for one without a platform. */
export function encodeList(manifests: readonly LocalManifest[]): { mediaType: string; bytes: Uint8Array } {
  const entries = manifests.map(({ Ref, Descriptor: { mediaType, size, digest, platform } }) => {
    if (platform?.architecture && platform.os) return { mediaType, size, digest, platform: ordered(platform) };
    throw new CliError(`manifest ${Ref} must have an OS and Architecture to be pushed to a registry`);
  });
  const oci = manifests[0]?.Descriptor.mediaType === mediaTypes.ociManifest;
  const mediaType = oci ? mediaTypes.ociIndex : mediaTypes.dockerIndex;
  return {
    mediaType,
    bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests: entries }, null, 3)),
  };
}

/** In the order of Go's fields. */
export function ordered(platform: ManifestPlatform): ManifestPlatform {
  const { architecture, os, variant, "os.version": version, "os.features": features } = platform;
  return {
    architecture,
    os,
    ...(version ? { "os.version": version } : {}),
    ...(features?.length ? { "os.features": features } : {}),
    ...(variant ? { variant } : {}),
  };
}
