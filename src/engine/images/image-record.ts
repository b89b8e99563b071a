/** What the database holds of an image; the config itself is a blob of the content store, under the image's id. */
import { fromRfc3339, zeroTime } from "../../base/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ImageConfig } from "../../oci/image-config.ts";
import { hostPlatform, type Platform } from "../../oci/platform.ts";

export interface ImageRecord {
  /** Digest of the config. */
  id: Digest;
  /** DiffIDs, base first. */
  layers: Digest[];
  /** Sum of the layers' sizes, bytes. */
  size: number;
  /** RFC 3339, as the config says. */
  created: string;
  /** The image that this one was committed or built from, on this machine. */
  parent?: Digest | undefined;
  /** Kept for the build cache alone: no listing shows it. */
  hidden?: true;
  /** RFC 3339; when a name was last given to it by `tag`, `import`, `commit` or a build. */
  lastTagged?: string | undefined;
}

export function toRecord(id: Digest, config: ImageConfig, size: number): ImageRecord {
  return { id, layers: config.rootfs.diff_ids, size, created: config.created || zeroTime };
}

/** Nanoseconds since 1970; a config without a time counts as the year 1. */
export function createdNanos(record: { created: string }): bigint {
  return fromRfc3339(record.created) ?? (fromRfc3339(zeroTime) as bigint);
}

export function platformOf(config: ImageConfig): Platform {
  const host = hostPlatform();
  return {
    os: config.os || host.os,
    architecture: config.architecture || host.architecture,
    ...(config.variant ? { variant: config.variant } : {}),
  };
}
