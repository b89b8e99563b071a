/** What the builder needs of the engine. The engine's classes satisfy these by shape; they meet in src/daemon/. */
import type { Duplex } from "node:stream";
import type { ContainerCreateRequest, WaitResponse } from "../api/containers.ts";
import type { ProgressMessage } from "../api/system.ts";
import type { BuildStepRequest } from "../engine/images/builds/build-step.ts";
import type { SquashRequest } from "../engine/images/builds/squash.ts";
import type { Digest } from "../oci/digest.ts";
import type { ImageConfig } from "../oci/image-config.ts";
import type { Reference } from "../oci/reference.ts";
import type { Credentials } from "../remote/auth.ts";
import type { Layer } from "../snapshots/layer-store.ts";
import type { CommitOptions, LayerJobOptions } from "../snapshots/snapshotter.ts";

interface ImageRecord {
  id: Digest;
  layers: Digest[];
  size: number;
  /** RFC 3339. */
  created: string;
  parent?: Digest | undefined;
  hidden?: true;
}

export interface BuilderImages {
  /** Throws `not-found`. */
  resolve(name: string, platform?: string): ImageRecord;
  records(): ImageRecord[];
  find(id: Digest): ImageRecord | undefined;
  imageConfig(record: ImageRecord): ImageConfig;
  references(id: Digest): Reference[];
  children(id: Digest): Digest[];
  hold(): Disposable;
  createBuildStep(request: BuildStepRequest): Promise<Digest>;
  /** One layer instead of those that an image has over its base; returns the new image's id. */
  squash(request: SquashRequest): Promise<Digest>;
  /** An image that came from elsewhere is known from now on to be the step after `parent`. */
  adopt(id: Digest, parent: Digest): void;
  /** Keeps layers for the cache alone. */
  createCacheStep(layers: readonly Digest[]): Promise<Digest>;
  forgetCacheStep(id: Digest): Promise<void>;
  /** Bytes of the layer that an image adds to those below; 0: it has none. */
  topLayerSize(id: Digest): number;
  /** The image that a build ends with; its layers are those of a cache step or an image. */
  createBuilt(config: ImageConfig, options?: { hidden: boolean }): Promise<Digest>;
  tag(name: string, repo: string, tag: string): Promise<void>;
  remove(name: string, options: { force: boolean; noPrune: boolean }): Promise<unknown>;
  pull(
    name: string,
    options: {
      platform?: string | undefined;
      credentials: Credentials;
      progress: (message: ProgressMessage) => void;
      signal: AbortSignal;
    },
  ): Promise<void>;
}

export interface BuilderContainers {
  create(
    request: ContainerCreateRequest,
    options: { imageVolumes: boolean; networkOf: string | undefined },
  ): Promise<{ Id: string; Warnings: string[] }>;
  attach(
    id: string,
    options: { logs: boolean; stream: boolean; stdin: boolean; stdout: boolean; stderr: boolean },
  ): Promise<{ serve(client: Duplex): Promise<void> }>;
  wait(id: string, condition: "next-exit", signal: AbortSignal): Promise<{ result: Promise<WaitResponse> }>;
  start(id: string): Promise<void>;
  kill(id: string, signal?: string): Promise<void>;
  remove(id: string, options: { force: boolean; volumes: boolean; link: boolean }): Promise<void>;
}

export interface BuilderNetworks {
  /** Until it is disposed of, the container's network outlives the container, and others can be created in it. */
  keep(containerId: string): AsyncDisposable;
}

export interface BuilderSnapshots {
  prepare(key: string, layers: readonly string[], options: { plain: true }): void;
  mount(key: string): string;
  remove(key: string): Promise<void>;
  commit(key: string, options: CommitOptions): Promise<Layer>;
  difference(tree: string, layers: readonly string[], options?: LayerJobOptions): Promise<Layer>;
}

export interface BuilderLayers {
  make(fill: (directory: string) => Promise<Layer>): Promise<Layer>;
}
