/**
 * The pull-through cache: what is not here is fetched from an upstream, kept, and served. Manifests are kept without what they refer to,
 * which follows when it is asked for. However many clients ask, a thing is fetched once; when the upstream fails, what is here is served,
 * however old.
 */
import type { Logger } from "../../base/log.ts";
import { algorithmOf, type Digest, isDigest } from "../../oci/digest.ts";
import { RegistryError as RemoteError } from "../../remote/registry-error.ts";
import { isTransient, Repository } from "../../remote/repository.ts";
import { openResuming, type RemoteBlob } from "../../remote/resuming.ts";
import { RegistryError } from "../api/http-error.ts";
import { readManifest } from "../api/parse-manifest.ts";
import type { Uploads } from "../content/uploads.ts";
import type { BlobIndex } from "../metadata/blob-index.ts";
import type { ManifestIndex, StoredManifest } from "../metadata/manifest-index.ts";
import type { Tag, TagIndex } from "../metadata/tag-index.ts";
import type { MirrorOutcome } from "../metrics.ts";
import { Fan } from "./fan.ts";
import type { Mirror } from "./upstreams.ts";

export interface PullThroughParts {
  readonly mirrors: readonly Mirror[];
  readonly blobs: BlobIndex;
  readonly manifests: ManifestIndex;
  readonly tags: TagIndex;
  readonly uploads: Uploads;
  readonly logger: Logger;
  readonly count: (outcome: MirrorOutcome) => void;
}

/** Longest that fetching one thing may take. */
const fetchMillis = 60 * 60 * 1000;
const probeMillis = 30_000;
/** A blob of no more is waited for: then its length can be told. */
const smallSize = 1 << 20;
/** After a failure the upstream is left alone for so long, where there is something to serve. */
const restMillis = 10_000;

export class PullThrough {
  private readonly parts: PullThroughParts;
  private readonly fetchingManifests = new Map<string, Promise<StoredManifest | undefined>>();
  private readonly fetchingBlobs = new Map<string, Fan>();
  private readonly repositories = new Map<string, Repository>();
  /** When to ask about a tag again that could not be checked. */
  private readonly resting = new Map<string, number>();

  constructor(parts: PullThroughParts) {
    this.parts = parts;
  }

  /** The name under which this registry keeps what is asked for: another than asked where `ns` or the default mirror says so. */
  async localName(name: string, ns: string | null): Promise<string> {
    if (this.mirrorOf(name)) return name;
    const named = ns === null ? undefined : this.parts.mirrors.find(({ namespace }) => namespace === ns);
    if (named) return `${named.prefix}/${name}`;
    const standIn = this.parts.mirrors.find(({ isDefault }) => isDefault);
    if (!standIn || (await this.parts.tags.isKnown(name))) return name;
    return `${standIn.prefix}/${name}`;
  }

  /** Throws where a repository is an upstream's, so that nothing of ours is mixed in. */
  refusePush(name: string): void {
    const mirror = this.mirrorOf(name);
    if (mirror) throw new RegistryError("UNSUPPORTED", `${name} mirrors ${mirror.url}: it cannot be pushed to`);
  }

  isMirrored(name: string): boolean {
    return this.mirrorOf(name) !== undefined;
  }

  /** By tag or digest, from here or from the upstream; undefined when neither has it, or the repository is none of an upstream. */
  async manifest(name: string, reference: string): Promise<StoredManifest | undefined> {
    const mirror = this.mirrorOf(name);
    if (!mirror) return undefined;
    const { manifests, tags } = this.parts;
    if (isDigest(reference))
      return (await manifests.find(name, reference)) ?? this.fetchManifest(mirror, name, reference);
    const known = await tags.find(name, reference);
    const key = `${name}:${reference}`;
    const fresh = known && (known.updated + mirror.ttlMillis > Date.now() || (this.resting.get(key) ?? 0) > Date.now());
    if (fresh) {
      this.parts.count("here");
      return manifests.findByTag(name, reference);
    }
    try {
      return await this.fetchManifest(mirror, name, reference, known);
    } catch (error) {
      const stale = await manifests.findByTag(name, reference);
      if (!stale) throw error;
      this.parts.count("stale");
      this.parts.logger.warn("upstream fails: serving what is here", { repository: name, tag: reference, error });
      if (this.resting.size > 10_000) this.resting.clear();
      this.resting.set(key, Date.now() + restMillis);
      return stale;
    }
  }

  /**
   * A blob that is not here: its bytes as they arrive, or once it is here its size; undefined when the upstream has none. Whoever asks
   * first sees a large one stream; the others, and those who want a part of it, wait until it is here and verified.
   */
  async blob(name: string, digest: Digest, stream: boolean): Promise<number | ReadableStream<Uint8Array> | undefined> {
    const mirror = this.mirrorOf(name);
    if (!mirror) return undefined;
    const key = `${name}@${digest}`;
    const running = this.fetchingBlobs.get(key);
    if (running) return running.finished;
    // Before anything is awaited, so that there is one for all.
    const fan = new Fan();
    this.fetchingBlobs.set(key, fan);
    const branch = stream ? fan.branch() : undefined;
    const done = fan.run(this.fetchBlob(mirror, name, digest, fan)).finally(() => this.fetchingBlobs.delete(key));
    done.catch(() => undefined);
    if (!branch) return done;
    const opened = await fan.opened;
    if (!opened || (opened.size ?? Number.POSITIVE_INFINITY) > smallSize) return opened && branch;
    await branch.cancel();
    return done;
  }

  /** How large a blob is that is not here: the upstream is asked, and nothing fetched unless it does not tell. */
  async blobSize(name: string, digest: Digest): Promise<number | undefined> {
    const mirror = this.mirrorOf(name);
    if (!mirror) return undefined;
    const running = this.fetchingBlobs.get(`${name}@${digest}`);
    if (running) return running.finished;
    const signal = AbortSignal.timeout(probeMillis);
    const found = await this.upstream(mirror, name)
      .statBlob(digest, signal)
      .catch((error) => {
        throw upstreamFailure(mirror, error);
      });
    if (!found || found.size !== undefined) return found?.size;
    const fetched = await this.blob(name, digest, false);
    return typeof fetched === "number" ? fetched : undefined;
  }

  /** Removes tags of mirrors that nobody pulled for long; returns how many. */
  async expire(now: number): Promise<number> {
    let removed = 0;
    for (const { prefix, lifetimeMillis } of this.parts.mirrors) {
      if (lifetimeMillis > 0) removed += await this.expireOf(prefix, now - lifetimeMillis);
    }
    return removed;
  }

  private async expireOf(prefix: string, before: number): Promise<number> {
    const { tags } = this.parts;
    let removed = 0;
    for await (const repository of tags.allRepositories(`${prefix}/`)) {
      if (!repository.startsWith(`${prefix}/`)) break;
      for (const tag of await tags.newest(repository)) {
        if (tag.updated < before && (await tags.delete(repository, tag.name, tag.updated))) removed++;
      }
    }
    return removed;
  }

  private mirrorOf(name: string): Mirror | undefined {
    return this.parts.mirrors.find(({ prefix }) => name.startsWith(`${prefix}/`));
  }

  /** What a tag points at, if the upstream says that it still does. */
  private async unchanged(mirror: Mirror, name: string, tag: Tag | undefined): Promise<StoredManifest | undefined> {
    if (!tag) return undefined;
    const { manifests, tags } = this.parts;
    const signal = AbortSignal.timeout(probeMillis);
    const digest = await this.upstream(mirror, name)
      .resolve(tag.name, signal)
      .catch((error) => {
        throw upstreamFailure(mirror, error);
      });
    if (digest !== tag.digest) return undefined;
    this.parts.count("here");
    await tags.touch(name, tag.name);
    return manifests.findByTag(name, tag.name);
  }

  private upstream(mirror: Mirror, name: string): Repository {
    let found = this.repositories.get(name);
    if (!found) {
      const secure = mirror.url.startsWith("https:") && !mirror.insecure;
      const path = name.slice(mirror.prefix.length + 1);
      // The Docker Hub's own images have a namespace that nobody writes.
      const remote = mirror.url === "https://registry-1.docker.io" && !path.includes("/") ? `library/${path}` : path;
      const endpoint = { url: mirror.url, secure, mirror: true };
      const { credentials } = mirror;
      // Who asks us may wait as it likes: what is here can be served at once.
      found = new Repository({ endpoint, name: remote, credentials, purpose: "pull", patience: 0 });
      if (this.repositories.size > 1000) this.repositories.clear();
      this.repositories.set(name, found);
    }
    return found;
  }

  private fetchManifest(
    mirror: Mirror,
    name: string,
    reference: string,
    known?: Tag,
  ): Promise<StoredManifest | undefined> {
    const key = `${name}@${reference}`;
    let running = this.fetchingManifests.get(key);
    if (!running) {
      running = this.refresh(mirror, name, reference, known).finally(() => this.fetchingManifests.delete(key));
      this.fetchingManifests.set(key, running);
    }
    return running;
  }

  private async refresh(mirror: Mirror, name: string, reference: string, known: Tag | undefined) {
    return (await this.unchanged(mirror, name, known)) ?? (await this.takeManifest(mirror, name, reference));
  }

  private async takeManifest(mirror: Mirror, name: string, reference: string): Promise<StoredManifest | undefined> {
    const { manifests, tags } = this.parts;
    const wanted = isDigest(reference) ? reference : undefined;
    try {
      const found = await this.upstream(mirror, name).manifest(reference, AbortSignal.timeout(fetchMillis));
      const manifest = readManifest(found.bytes, found.mediaType || null);
      const stored = { ...manifest, digest: wanted ?? manifest.digest };
      await manifests.put(name, stored, {
        tags: wanted === undefined ? [reference] : [],
        isImmutable: () => false,
        sparse: true,
      });
      this.parts.count("fetched");
      return stored;
    } catch (error) {
      if (!isAbsent(error)) throw upstreamFailure(mirror, error);
      if (wanted === undefined) await tags.delete(name, reference);
      return undefined;
    }
  }

  /** Its size, or undefined when the upstream has none. The bytes pass by the fan on their way into the store. */
  private async fetchBlob(mirror: Mirror, name: string, digest: Digest, fan: Fan): Promise<number | undefined> {
    const { uploads } = this.parts;
    let found: RemoteBlob;
    try {
      found = await openResuming(this.upstream(mirror, name), digest, AbortSignal.timeout(fetchMillis));
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw upstreamFailure(mirror, error);
    }
    fan.open(found.size);
    this.parts.count("fetched");
    const id = await uploads.start(name, algorithmOf(digest));
    try {
      return await uploads.finish(name, id, digest, fan.through(found.body));
    } catch (error) {
      await uploads.cancel(name, id).catch(() => undefined);
      throw error instanceof RegistryError ? error : upstreamFailure(mirror, error);
    }
  }
}

/** Also where the upstream would not tell a stranger: for a public one, that is the same. */
function isAbsent(error: unknown): boolean {
  return error instanceof RemoteError && error.status === 404;
}

function upstreamFailure(mirror: Mirror, error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const retryAfter = error instanceof RemoteError ? error.retryAfter : undefined;
  const headers: Record<string, string> = retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
  if (error instanceof RemoteError && error.status === 429)
    return new RegistryError("TOOMANYREQUESTS", message, { cause: error, headers });
  if (error instanceof RemoteError && (error.status === 401 || error.status === 403)) {
    return new RegistryError("DENIED", `${mirror.url} refuses: ${message}`, { cause: error });
  }
  const passing = isTransient(error);
  return new RegistryError(passing ? "UNAVAILABLE" : "UNKNOWN", `${mirror.url} fails: ${message}`, {
    ...{ cause: error, headers },
    status: passing ? 503 : 502,
  });
}
