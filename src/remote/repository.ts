/** One repository of one registry: manifests, blobs, uploads. https://github.com/opencontainers/distribution-spec/blob/main/spec.md */
import { canceled, EngineError, invalidArgument } from "../base/errors.ts";
import { type Bytes, bodyOf, collect } from "../base/streams.ts";
import { algorithmOf, type Digest, digestOf, isDigest } from "../oci/digest.ts";
import { asObject, asStrings, type JsonObject, optional, parseJson } from "../oci/json.ts";
import { maxManifestSize, mediaTypes } from "../oci/manifest.ts";
import { Authenticator, type Credentials } from "./auth.ts";
import type { Endpoint } from "./endpoints.ts";
import { RegistryError, retryAfterOf, toRegistryError } from "./registry-error.ts";
import { type RequestOptions, requestText, Transport } from "./transport.ts";

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
  /** Seconds of a `Retry-After` that are waited for; a minute unless given. */
  patience?: number;
}

const accepted = [
  mediaTypes.dockerManifest,
  mediaTypes.dockerIndex,
  mediaTypes.ociManifest,
  mediaTypes.ociIndex,
  "application/vnd.docker.distribution.manifest.v1+prettyjws",
].join(", ");

/** How often a request is sent whose connection breaks. */
const connectionAttempts = 5;
/** How often an upload may stop without having come any further. */
const uploadAttempts = 3;
const maxTags = 1_000_000;
/** Of `Retry-After`: seconds, and how often in a row. */
const maxPatience = 60;
const maxWaits = 5;

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
    // Whatever else it says about this path, it may well serve repositories.
    this.auth.learn(response);
  }

  /** What a tag stands for, without its bytes: registries that count pulls do not count this. Undefined where they do not say. */
  async resolve(tag: string, signal: AbortSignal): Promise<Digest | undefined> {
    const options = { method: "HEAD", headers: { Accept: accepted }, signal };
    const response = await persist(signal, () => this.ask(`/manifests/${tag}`, options));
    await response.body?.cancel();
    const digest = response.headers.get("Docker-Content-Digest") ?? "";
    return response.ok && isDigest(digest) ? digest : undefined;
  }

  /** By tag or digest; verified. Rejects RegistryError with the registry's code. */
  manifest(reference: string, signal: AbortSignal): Promise<RemoteManifest> {
    return persist(signal, () => this.manifestOnce(reference, signal));
  }

  private async manifestOnce(reference: string, signal: AbortSignal): Promise<RemoteManifest> {
    const response = await this.good(`/manifests/${reference}`, { headers: { Accept: accepted }, signal });
    const bytes = await collect(bodyOf(response), maxManifestSize).catch((error: unknown) => {
      if (error instanceof RangeError) throw invalidArgument(`manifest is larger than ${maxManifestSize} bytes`);
      throw error;
    });
    const digest = digestOf(bytes);
    const wanted = isDigest(reference) ? reference : response.headers.get("Docker-Content-Digest");
    const algorithm = algorithmOf(wanted ?? "");
    if (/^sha(256|384|512)$/.test(algorithm) && wanted !== digestOf(bytes, algorithm)) {
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
    const options = { method: "PUT", headers: { "Content-Type": mediaType }, body: () => bytes, signal };
    const response = await persist(signal, () => this.good(`/manifests/${reference}`, options));
    await response.body?.cancel();
  }

  /** All tags, page by page. */
  async tags(signal: AbortSignal): Promise<string[]> {
    const tags: string[] = [];
    let next: string | undefined = "/tags/list";
    while (next !== undefined) {
      const response: Response = await this.good(next, { signal });
      const page = await collect(bodyOf(response), maxManifestSize);
      const answer = asObject(parseJson(page, "list of tags", maxManifestSize), "list of tags");
      tags.push(...(optional(answer["tags"], "tags", asStrings) ?? []));
      if (tags.length > maxTags) throw invalidArgument(`the registry lists more than ${maxTags} tags`);
      next = this.nextPage(response);
    }
    return tags;
  }

  /** Only of this registry: nothing else is to be asked in its name. */
  private nextPage(response: Response): string | undefined {
    const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(response.headers.get("Link") ?? "")?.[1];
    if (link === undefined) return undefined;
    const url = new URL(link, response.url || this.endpoint.url);
    if (url.origin !== new URL(this.endpoint.url).origin)
      throw invalidArgument(`the list of tags goes on at ${url.origin}`);
    return url.href;
  }

  /** A small blob (a config) at once, verified. */
  async blob(digest: Digest, limit: number, signal: AbortSignal): Promise<Uint8Array> {
    const bytes = await persist(signal, async () => {
      const response = await this.blobResponse(digest, { signal });
      return collect(bodyOf(response), limit);
    });
    if (digestOf(bytes) !== digest) throw invalidArgument(`image config verification failed for digest ${digest}`);
    return bytes;
  }

  /** As `blob`, of JSON: an image's config. */
  async config(digest: Digest, limit: number, signal: AbortSignal): Promise<JsonObject> {
    return asObject(parseJson(await this.blob(digest, limit, signal), "config", limit), "config");
  }

  /** A blob from `offset` on, or, where the registry knows no ranges, from 0: `start` says which. Not verified. */
  async openBlob(
    digest: Digest,
    offset: number,
    signal: AbortSignal,
  ): Promise<{ start: number; size: number | undefined; body: Bytes }> {
    const headers: Record<string, string> = offset > 0 ? { Range: `bytes=${offset}-` } : {};
    const response = await this.blobResponse(digest, { headers, signal });
    const start = response.status === 206 ? rangeStart(response, offset) : 0;
    const length = response.headers.get("Content-Length");
    const size = length === null ? undefined : start + Number(length);
    return { start, size, body: bodyOf(response) };
  }

  private async blobResponse(digest: Digest, options: RequestOptions): Promise<Response> {
    const response = await this.ask(`/blobs/${digest}`, options);
    if (response.ok) return response;
    const error = await toRegistryError(response);
    throw response.status === 404 ? new RegistryError("unknown blob", { status: 404, code: "BLOB_UNKNOWN" }) : error;
  }

  async hasBlob(digest: Digest, signal: AbortSignal): Promise<boolean> {
    return (await this.statBlob(digest, signal)) !== undefined;
  }

  /** Undefined when there is none. Its size in bytes, if the registry says it. */
  async statBlob(digest: Digest, signal: AbortSignal): Promise<{ size: number | undefined } | undefined> {
    const response = await persist(signal, () => this.ask(`/blobs/${digest}`, { method: "HEAD", signal }));
    if (response.status === 404) return undefined;
    if (!response.ok) throw await toRegistryError(response);
    const length = response.headers.get("Content-Length");
    return { size: length === null ? undefined : Number(length) };
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
    for (let failures = 0; ; ) {
      try {
        url = await this.sendChunk(url, source, offset, signal);
        break;
      } catch (error) {
        if (signal.aborted || failures >= uploadAttempts || !isTransient(error)) throw error;
        await sleep(100 * 2 ** failures, signal);
        const before = offset;
        const state = await this.uploadState(url, signal).catch(() => undefined);
        url = state?.url ?? (await this.beginUpload(signal));
        offset = Math.min(state?.offset ?? 0, source.size);
        failures = offset > before ? 0 : failures + 1;
      }
    }
    await this.finishUpload(url, source.digest, signal);
  }

  private async finishUpload(url: string, digest: Digest, signal: AbortSignal): Promise<void> {
    const last = new URL(url);
    last.searchParams.set("digest", digest);
    await persist(signal, async (attempt) => {
      // The answer that was lost may have been yes.
      if (attempt > 1 && (await this.hasBlob(digest, signal))) return;
      const response = await this.good(last.href, { method: "PUT", body: () => "", signal });
      await response.body?.cancel();
    });
  }

  private async beginUpload(signal: AbortSignal): Promise<string> {
    const options = { method: "POST", body: () => "", signal };
    return this.location(await persist(signal, () => this.good("/blobs/uploads/", options)));
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
    const response = await persist(signal, () => this.good(url, { signal }));
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

  /** A registry that asks for patience gets it, within reason. */
  private async ask(path: string, options: RequestOptions): Promise<Response> {
    const url = path.startsWith("/") ? `${this.endpoint.url}/v2/${this.name}${path}` : path;
    for (let waits = 0; ; waits++) {
      const response = await this.askOnce(url, options);
      const seconds = [429, 503].includes(response.status) ? retryAfterOf(response) : undefined;
      const { patience = maxPatience } = this.options;
      if (seconds === undefined || seconds > patience || waits >= maxWaits) return response;
      await response.body?.cancel();
      await sleep(seconds * 1000, options.signal);
    }
  }

  /** With credentials; a token that has run out is renewed once. */
  private async askOnce(url: string, options: RequestOptions): Promise<Response> {
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
      if (!(error instanceof RegistryError) || this.actions !== "pull") throw error;
      // Of a kind that says no more: what was refused is the login, not the repository.
      const { status, code } = error;
      throw new RegistryError(`${requestText(method, url)}: ${error.message}`, { status, code, bare: true });
    }
  }
}

/** Once more, a few times, where only the connection broke: for what does no harm when it is done twice. */
async function persist<T>(signal: AbortSignal, work: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      if (!isBroken(error) || error instanceof RangeError || signal.aborted || attempt >= connectionAttempts)
        throw error;
      await sleep(50 * 2 ** attempt, signal);
    }
  }
}

/** Rejects when the signal aborts. */
async function sleep(millis: number, signal: AbortSignal): Promise<void> {
  const { promise, reject, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, millis);
  const stop = () => reject(canceled("context canceled"));
  signal.addEventListener("abort", stop, { once: true });
  try {
    signal.throwIfAborted();
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

function rangeStart(response: Response, wanted: number): number {
  const start = /^bytes (\d+)-/.exec(response.headers.get("Content-Range") ?? "")?.[1];
  return start === undefined ? wanted : Number(start);
}

/** True for what may go away by itself: no answer, a server's own error, too many requests. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return isBroken(error);
  return isBroken(error) || error.status >= 500 || error.status === 429 || error.status === 408;
}

/** No answer, or one that broke off. */
function isBroken(error: unknown): boolean {
  return error instanceof RegistryError ? error.status === 0 : !(error instanceof EngineError);
}
