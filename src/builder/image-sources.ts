/** The images that a build starts from or copies from: found here or pulled, and their roots mounted while they are needed. */
import { isNotFound } from "../base/errors.ts";
import { newId } from "../base/ids.ts";
import type { Digest } from "../oci/digest.ts";
import { parseReference } from "../oci/reference.ts";
import type { Credentials } from "../remote/auth.ts";
import type { BuildRequest } from "./build-request.ts";
import type { BuildOutput } from "./output.ts";
import type { BuilderImages, BuilderSnapshots } from "./parts.ts";

export class ImageSources {
  private readonly images: BuilderImages;
  private readonly snapshots: BuilderSnapshots;
  private readonly request: BuildRequest;
  private readonly pulls = new Map<string, Promise<void>>();
  private readonly roots = new Map<Digest, { key: string; path: string }>();

  constructor(images: BuilderImages, snapshots: BuilderSnapshots, request: BuildRequest) {
    this.images = images;
    this.snapshots = snapshots;
    this.request = request;
  }

  /** The image of a FROM line or `--from`. Pulled when it is not here, or when the build asks for the newest. */
  async image(name: string, output: BuildOutput, platform = this.request.platform): Promise<Digest> {
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
      pulling = this.images.pull(name, {
        platform,
        credentials: this.login(name),
        progress: (message) => output.progress(message),
        signal: this.request.signal,
      });
      this.pulls.set(key, pulling);
    }
    await pulling;
    return this.images.resolve(name, platform).id;
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

  /** The client sends all the logins that it has. */
  private login(name: string): Credentials {
    const { domain } = parseReference(name);
    const { logins } = this.request;
    if (domain === "docker.io") return logins["https://index.docker.io/v1/"] ?? logins["docker.io"] ?? {};
    return logins[domain] ?? logins[`https://${domain}`] ?? {};
  }
}

function isId(name: string): boolean {
  return /^(sha256:)?[a-f0-9]{64}$/.test(name);
}
