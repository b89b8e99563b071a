/** One repository of one registry: manifests, blobs, uploads. https://github.com/opencontainers/distribution-spec/blob/main/spec.md */
import { invalidArgument } from "../base/errors.ts";
import { type Bytes, collect } from "../base/streams.ts";
import { type Digest, digestOf, isDigest } from "../oci/digest.ts";
import { maxManifestSize, mediaTypes } from "../oci/manifest.ts";
import { Authenticator, type Credentials } from "./auth.ts";
import type { Endpoint } from "./endpoints.ts";
import { RegistryError, toRegistryError } from "./registry-error.ts";
import { type RequestOptions, Transport } from "./transport.ts";

export interface RemoteManifest {
  digest: Digest;
  mediaType: string;
  bytes: Uint8Array;
}

/** What an upload sends. `open` is called for each attempt. */
export interface UploadSource {
  digest: Digest;
  size: number;
  open(offset: number): Bytes;
}

export interface RepositoryOptions {
  endpoint: Endpoint;
  /** `library/debian` */
  name: string;
  credentials: Credentials;
  purpose: "pull" | "push";
  certificates?: string[] | undefined;
}

const accepted = [
  mediaTypes.dockerManifest,
  mediaTypes.dockerIndex,
  mediaTypes.ociManifest,
  mediaTypes.ociIndex,
  "application/vnd.docker.distribution.manifest.v1+prettyjws",
].join(", ");

const uploadAttempts = 3;

export class Repository {
  readonly endpoint: Endpoint;
  readonly name: string;
  private readonly options: RepositoryOptions;
  private readonly transport: Transport;
  private readonly auth: Authenticator;
  private readonly actions: string;
  private readonly extraScopes = new Set<string>();

  constructor(options: RepositoryOptions, auth?: Authenticator) {
    const { endpoint, name, credentials, purpose, certificates } = options;
    this.options = options;
    this.endpoint = endpoint;
    this.name = name;
    this.transport = new Transport(endpoint, certificates);
    this.auth = auth ?? new Authenticator(this.transport, credentials);
    this.actions = purpose === "push" ? "pull,push" : "pull";
  }

  /** Finds out whether a registry is there and how it wants to be asked. */
  async ping(signal: AbortSignal): Promise<void> {
    const response = await this.transport.fetch(`${this.endpoint.url}/v2/`, { signal });
    await response.body?.cancel();
    this.auth.learn(response);
    if (response.status !== 200 && response.status !== 401) throw await toRegistryError(response);
  }

  /** By tag or digest; verified. Rejects RegistryError with the registry's code. */
  async manifest(reference: string, signal: AbortSignal): Promise<RemoteManifest> {
    const response = await this.good(`/manifests/${reference}`, { headers: { Accept: accepted }, signal });
    const bytes = await collect(response.body as unknown as Bytes, maxManifestSize).catch((error: unknown) => {
      if (error instanceof RangeError) throw invalidArgument(`manifest is larger than ${maxManifestSize} bytes`);
      throw error;
    });
    const digest = digestOf(bytes);
    const wanted = isDigest(reference) ? reference : response.headers.get("Docker-Content-Digest");
    if (wanted?.startsWith("sha256:") && wanted !== digest) {
      throw invalidArgument(`manifest verification failed for digest ${wanted}`);
    }
    return { digest, mediaType: response.headers.get("Content-Type")?.split(";")[0]?.trim() ?? "", bytes };
  }

  async hasManifest(digest: Digest, signal: AbortSignal): Promise<boolean> {
    const response = await this.ask(`/manifests/${digest}`, { method: "HEAD", headers: { Accept: accepted }, signal });
    await response.body?.cancel();
    if (response.ok) return true;
    if (response.status === 404) return false;
    throw await toRegistryError(response);
  }

  /** Another repository of the same registry, to read from. */
  beside(name: string): Repository {
    return new Repository({ ...this.options, name, purpose: "pull" }, this.auth);
  }

  async putManifest(reference: string, mediaType: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const response = await this.good(`/manifests/${reference}`, {
      method: "PUT",
      headers: { "Content-Type": mediaType },
      body: () => bytes,
      signal,
    });
    await response.body?.cancel();
  }

  /** All tags, page by page. */
  async tags(signal: AbortSignal): Promise<string[]> {
    const tags: string[] = [];
    let next: string | undefined = "/tags/list";
    while (next !== undefined) {
      const response: Response = await this.good(next, { signal });
      const answer = (await response.json()) as { tags?: string[] | null };
      tags.push(...(answer.tags ?? []));
      const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(response.headers.get("Link") ?? "")?.[1];
      next = link === undefined ? undefined : new URL(link, response.url || this.endpoint.url).href;
    }
    return tags;
  }

  /** A small blob (a config) at once, verified. */
  async blob(digest: Digest, limit: number, signal: AbortSignal): Promise<Uint8Array> {
    const response = await this.good(`/blobs/${digest}`, { signal });
    const bytes = await collect(response.body as unknown as Bytes, limit);
    if (digestOf(bytes) !== digest) throw invalidArgument(`image config verification failed for digest ${digest}`);
    return bytes;
  }

  /** A blob from `offset` on, or, where the registry knows no ranges, from 0: `start` says which. Not verified. */
  async openBlob(digest: Digest, offset: number, signal: AbortSignal): Promise<{ start: number; body: Bytes }> {
    const headers: Record<string, string> = offset > 0 ? { Range: `bytes=${offset}-` } : {};
    const response = await this.good(`/blobs/${digest}`, { headers, signal });
    const start = response.status === 206 ? rangeStart(response, offset) : 0;
    return { start, body: (response.body ?? new ReadableStream()) as unknown as Bytes };
  }

  async hasBlob(digest: Digest, signal: AbortSignal): Promise<boolean> {
    const response = await this.ask(`/blobs/${digest}`, { method: "HEAD", signal });
    if (response.ok) return true;
    if (response.status === 404) return false;
    throw await toRegistryError(response);
  }

  /** True when the registry took the blob over from another of its repositories. */
  async mountBlob(digest: Digest, from: string, signal: AbortSignal): Promise<boolean> {
    this.extraScopes.add(`repository:${from}:pull`);
    const query = new URLSearchParams({ mount: digest, from });
    const response = await this.ask(`/blobs/uploads/?${query}`, { method: "POST", body: () => "", signal });
    await response.body?.cancel();
    // 202: the registry began an upload instead, which nobody goes on with.
    const location = response.headers.get("Location");
    if (response.status === 202 && location) await this.cancelUpload(new URL(location, this.endpoint.url).href, signal);
    return response.status === 201;
  }

  /** Uploads a blob; after a broken connection it goes on where the registry says it stopped. */
  async upload(source: UploadSource, signal: AbortSignal): Promise<void> {
    let url = await this.beginUpload(signal);
    let offset = 0;
    for (let attempt = 1; ; attempt++) {
      try {
        url = await this.sendChunk(url, source, offset, signal);
        break;
      } catch (error) {
        if (signal.aborted || attempt >= uploadAttempts || !isTransient(error)) throw error;
        await Bun.sleep(100 * 2 ** attempt);
        const state = await this.uploadState(url, signal).catch(() => undefined);
        url = state?.url ?? (await this.beginUpload(signal));
        offset = Math.min(state?.offset ?? 0, source.size);
      }
    }
    const last = new URL(url);
    last.searchParams.set("digest", source.digest);
    const response = await this.good(last.href, { method: "PUT", body: () => "", signal });
    await response.body?.cancel();
  }

  private async beginUpload(signal: AbortSignal): Promise<string> {
    const response = await this.good("/blobs/uploads/", { method: "POST", body: () => "", signal });
    return this.location(response);
  }

  private async sendChunk(url: string, source: UploadSource, offset: number, signal: AbortSignal): Promise<string> {
    if (offset === source.size && offset > 0) return url;
    const headers = {
      "Content-Type": "application/octet-stream",
      "Content-Length": String(source.size - offset),
      ...(offset > 0 ? { "Content-Range": `${offset}-${source.size - 1}` } : {}),
    };
    const body = () => source.open(offset);
    return this.location(await this.good(url, { method: "PATCH", headers, body, signal }));
  }

  private async uploadState(url: string, signal: AbortSignal): Promise<{ url: string; offset: number }> {
    const response = await this.good(url, { signal });
    const end = /^(?:bytes=)?0-(\d+)$/.exec(response.headers.get("Range") ?? "")?.[1];
    // Nothing yet is `0-0` for some registries, which could also mean one byte: starting again is right for both.
    if (end === undefined || end === "0") return { url: await this.beginUpload(signal), offset: 0 };
    return { url: await this.location(response, url), offset: Number(end) + 1 };
  }

  private async cancelUpload(url: string, signal: AbortSignal): Promise<void> {
    await this.ask(url, { method: "DELETE", signal }).then(
      (response) => response.body?.cancel(),
      () => undefined,
    );
  }

  private async location(response: Response, fallback = this.endpoint.url): Promise<string> {
    await response.body?.cancel();
    return new URL(response.headers.get("Location") ?? fallback, this.endpoint.url).href;
  }

  private async good(path: string, options: RequestOptions): Promise<Response> {
    const response = await this.ask(path, options);
    if (response.ok) return response;
    throw await toRegistryError(response);
  }

  /** With credentials; a token that has run out is renewed once. */
  private async ask(path: string, options: RequestOptions): Promise<Response> {
    const url = path.startsWith("/") ? `${this.endpoint.url}/v2/${this.name}${path}` : path;
    for (let attempt = 0; ; attempt++) {
      const authorization = await this.authorization(url, options);
      const response = await this.transport.fetch(url, {
        ...options,
        headers: { ...options.headers, ...authorization },
      });
      if (response.status !== 401 || attempt > 0) return response;
      this.auth.learn(response);
      this.auth.forget();
      const renewed = await this.authorization(url, options);
      if (renewed["Authorization"] === authorization["Authorization"]) return response;
      await response.body?.cancel();
    }
  }

  private async authorization(
    url: string,
    { method = "GET", signal }: RequestOptions,
  ): Promise<Record<string, string>> {
    // An upload may have been sent to another host, which must not see the credentials.
    if (new URL(url).origin !== new URL(this.endpoint.url).origin) return {};
    try {
      return await this.auth.headers([`repository:${this.name}:${this.actions}`, ...this.extraScopes], signal);
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code !== "NOAUTH" || this.actions !== "pull") throw error;
      const verb = method.charAt(0) + method.slice(1).toLowerCase();
      throw new RegistryError(401, "NOAUTH", `${verb} ${JSON.stringify(url)}: ${error.message}`);
    }
  }
}

function rangeStart(response: Response, wanted: number): number {
  const start = /^bytes (\d+)-/.exec(response.headers.get("Content-Range") ?? "")?.[1];
  return start === undefined ? wanted : Number(start);
}

/** True for what may go away by itself: no answer, a server's own error, too many requests. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return !(error instanceof Error && error.name === "EngineError");
  return error.status === 0 || error.status >= 500 || error.status === 429 || error.status === 408;
}
