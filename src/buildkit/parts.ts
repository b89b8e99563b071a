/** What BuildKit's face needs of the rest. The engine's classes satisfy these by shape; they meet in src/daemon/. */

import type { ProgressMessage } from "../api/system.ts";
import type { PackedTimes } from "../archive/tar/pack.ts";
import type { Bytes } from "../base/streams.ts";
import type { Builder } from "../builder/builder.ts";
import type { BuilderImages, BuilderSnapshots } from "../builder/parts.ts";
import type { BuiltIndex, IndexedImage, OciBlob } from "../engine/images/builds/oci-manifest.ts";
import type { ContentReader } from "../engine/images/transfer/open-content.ts";
import type { OpenImage, UnnamedPushOptions } from "../engine/images/transfer/unnamed.ts";
import type { Digest } from "../oci/digest.ts";
import type { Descriptor } from "../oci/manifest.ts";
import type { Platform } from "../oci/platform.ts";
import type { Reference } from "../oci/reference.ts";
import type { Credentials } from "../remote/auth.ts";
import type { Snapshotter } from "../snapshots/snapshotter.ts";
import type { BuildHistory } from "./history/history.ts";

export interface BuildkitImages extends BuilderImages {
  /** The config of the image that has this name here. */
  configOf(reference: Reference): Uint8Array | undefined;
  /** An image in a registry, of which only the config has come. */
  openRemote(name: string, options: { credentials: Credentials; signal: AbortSignal }): Promise<OpenImage>;
  /** Under a name that it does not get here. */
  pushUnnamed(id: Digest, name: string, options: UnnamedPushOptions): Promise<Digest>;
  /** Of images for several platforms; under a hold, until a name leads to it. */
  createIndex(images: readonly IndexedImage[]): Promise<BuiltIndex>;
  ociContent(images: readonly Digest[], index?: BuiltIndex): { blobs: OciBlob[]; top: Descriptor };
  /** An image in somebody's store of content, of which only the config has come. */
  openContent(
    content: ContentReader,
    options: { digest: Digest; platform: Platform; signal: AbortSignal },
  ): Promise<OpenImage>;
  /** Gives a name to an image (or to the index that it is in). */
  tagBuilt(reference: Reference, id: Digest, index?: Digest): void;
  /** `index`: with all that are in it. */
  saveAs(
    images: readonly Digest[],
    names: Reference[],
    options: { signal: AbortSignal; index?: BuiltIndex | undefined },
  ): Promise<Bytes>;
  push(
    name: string,
    options: {
      tag?: string | undefined;
      credentials: Credentials;
      progress: (message: ProgressMessage) => void;
      signal: AbortSignal;
    },
  ): Promise<void>;
}

export interface BuildkitDependencies {
  history: BuildHistory;
  builder: Builder;
  images: BuildkitImages;
  snapshots: BuilderSnapshots & Pick<Snapshotter, "retime">;
  /** Rejects in the registry's words when it has no such image. */
  inspectRemote: (name: string, credentials: Credentials, signal: AbortSignal) => Promise<unknown>;
  /** An archive of everything below a directory. */
  exportTree: (directory: string, signal: AbortSignal, times?: PackedTimes) => Promise<Bytes>;
  /** Of the engine: the worker's id. */
  engineId: string;
  version: string;
  /** What `host-gateway` stands for in `--add-host`. */
  hostGateway: () => string;
}
