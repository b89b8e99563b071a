/** The images that a build starts from or copies from: found here or pulled, and their roots mounted while they are needed. */
import { isNotFound } from "../base/errors.ts";
import { newId } from "../base/ids.ts";
import type { Digest } from "../oci/digest.ts";
import { parseReference } from "../oci/reference.ts";
import type { SolveRequest } from "./build-request.ts";
import type { BuilderImages, BuilderSnapshots } from "./parts.ts";
import type { StageReport } from "./report.ts";

/** Names that stand for something else than the image of that name: `--build-context`. */
export interface NamedContexts {
  /** The image that is meant. */
  image(name: string): string | undefined;
  /** The directory that is meant, received when it is first asked for. */
  directory(name: string): Promise<string> | undefined;
}

/** An image that a build began with or copied from. */
export interface UsedImage {
  name: string;
  platform: string | undefined;
  image: Digest;
}

export class ImageSources {
  private readonly images: BuilderImages;
  private readonly snapshots: BuilderSnapshots;
  private readonly request: SolveRequest;
  private readonly named: NamedContexts | undefined;
  private readonly pulls = new Map<string, Promise<void>>();
  private readonly found = new Map<string, UsedImage>();
  private readonly roots = new Map<Digest, { key: string; path: string }>();

  constructor(images: BuilderImages, snapshots: BuilderSnapshots, request: SolveRequest, named?: NamedContexts) {
    this.images = images;
    this.snapshots = snapshots;
    this.request = request;
    this.named = named;
  }

  /** The image of a FROM line or `--from`. Pulled when it is not here, or when the build asks for the newest. */
  async image(given: string, report: StageReport, platform = this.request.platform): Promise<Digest> {
    const name = this.named?.image(given) ?? given;
    const image = await this.resolve(name, report, platform);
    this.found.set(`${name} ${platform ?? ""}`, { name, platform, image });
    return image;
  }

  /** The images that were asked for so far. */
  used(): UsedImage[] {
    return [...this.found.values()];
  }

  private async resolve(name: string, report: StageReport, platform: string | undefined): Promise<Digest> {
    if (!this.request.pull || isId(name)) {
      try {
        return this.images.resolve(name, platform).id;
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    const key = `${name} ${platform ?? ""}`;
    let pulling = this.pulls.get(key);
    if (!pulling) {
      pulling = this.pull(name, platform, report);
      this.pulls.set(key, pulling);
    }
    await pulling;
    return this.images.resolve(name, platform).id;
  }

  /** The tree of what `--from` names where that is a directory of the client's; undefined: it is an image. */
  directory(name: string): Promise<string> | undefined {
    return this.named?.directory(name);
  }

  /** The image's tree, to be read only, until the build ends. */
  root(image: Digest): string {
    const known = this.roots.get(image);
    if (known) return known.path;
    const key = `build-${newId()}`;
    this.snapshots.prepare(key, this.images.find(image)?.layers ?? [], { plain: true });
    const root = { key, path: this.snapshots.mount(key) };
    this.roots.set(image, root);
    return root.path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { key } of this.roots.values()) await this.snapshots.remove(key);
    this.roots.clear();
  }

  private async pull(name: string, platform: string | undefined, report: StageReport): Promise<void> {
    const { login, signal } = this.request;
    await this.images.pull(name, {
      platform,
      credentials: await login(parseReference(name).domain),
      progress: (message) => report.pull(message),
      signal,
    });
  }
}

function isId(name: string): boolean {
  return /^(sha256:)?[a-f0-9]{64}$/.test(name);
}
