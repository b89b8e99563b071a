/** Caches that other daemons have left in registries: asked for a step when it is not in this daemon's own. */
import type { Digest } from "../../oci/digest.ts";
import type { ReachedStep } from "./cache-manifest.ts";

/** A cache elsewhere, of which only the list has come. */
export interface RemoteCache {
  /** By their keys. */
  steps: ReadonlyMap<string, ReachedStep>;
  /** Brings these layers here. */
  fetch(layers: readonly Digest[]): Promise<void>;
}

export interface CacheSource {
  /** Looks for it. Undefined: it is not to be had, and the build has been told why. */
  open(): Promise<RemoteCache | undefined>;
}

/** What a build's imports need of the engine. */
export interface ImportingImages {
  hold(): Disposable;
  createCacheStep(layers: readonly Digest[]): Promise<Digest>;
}

export class CacheImports {
  private readonly images: ImportingImages;
  private readonly sources: readonly CacheSource[];
  /** Looked for when they are first asked, and once. */
  private opened: Promise<(RemoteCache | undefined)[]> | undefined;

  constructor(images: ImportingImages, sources: readonly CacheSource[]) {
    this.images = images;
    this.sources = sources;
  }

  /** The image of a step of this key, with its layers here; undefined: nobody has it. */
  async find(key: string): Promise<Digest | undefined> {
    this.opened ??= Promise.all(this.sources.map((source) => source.open()));
    for (const cache of await this.opened) {
      const step = cache?.steps.get(key);
      if (!cache || !step) continue;
      using _hold = this.images.hold();
      await cache.fetch(step.layers);
      return await this.images.createCacheStep(step.layers);
    }
    return undefined;
  }
}
