/**
 * The one client of the Engine API: typed JSON calls, byte streams both ways, and hijacked connections, over unix sockets, TCP and TLS.
 * It speaks the newest API version and steps down when the daemon says that this is too new, so the usual call costs no `_ping`.
 */
import { errorMessage } from "../base/errors.ts";
import { bodyOf } from "../base/streams.ts";
import { ApiError, ConnectionError, toApiError } from "./client-error.ts";
import type { HijackedStream } from "./client-hijack.ts";
import type { Endpoint } from "./endpoint.ts";
import { apiVersion, type Filters } from "./system.ts";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
export type QueryValue = string | number | boolean | readonly string[] | undefined;
export type Query = Record<string, QueryValue>;
export type StreamBody = ReadableStream<Uint8Array> | Blob | AsyncIterable<Uint8Array>;

export interface RequestOptions {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** In place of `body`, where its shape depends on the API version in use. */
  readonly bodyFor?: (version: string) => unknown;
  /** Sent as it is, in place of `body`. */
  readonly stream?: StreamBody;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

export interface ClientOptions {
  /** A fixed API version (DOCKER_API_VERSION): no stepping down. */
  readonly version?: string;
  readonly headers?: Record<string, string>;
  readonly userAgent?: string;
  /** "Docker" or "Gantry", in the message about a daemon that is not there. */
  readonly product?: string;
}

export class ApiClient {
  readonly endpoint: Endpoint;
  private readonly options: ClientOptions;
  private current: string;
  private settled: boolean;

  constructor(endpoint: Endpoint, options: ClientOptions = {}) {
    this.endpoint = endpoint;
    this.options = options;
    this.current = options.version ?? apiVersion;
    this.settled = options.version !== undefined;
  }

  /** The API version in use; what the daemon speaks only after a first call or `negotiate`. */
  get version(): string {
    return this.current;
  }

  /** True when the version in use is at least this one. */
  atLeast(version: string): boolean {
    return compareVersions(this.current, version) >= 0;
  }

  /** Asks the daemon for its version, once. Needed before a body that cannot be sent twice. */
  async negotiate(): Promise<void> {
    if (this.settled) return;
    const response = await this.fetch("HEAD", "/_ping", {});
    this.stepDown(response.headers.get("api-version") ?? "1.24");
    this.settled = true;
  }

  /** One call. `path` has no version (`/containers/json`). The answer is a success; throws ApiError or ConnectionError. */
  async request(method: Method, path: string, options: RequestOptions = {}): Promise<Response> {
    if (options.stream !== undefined) await this.negotiate();
    for (;;) {
      const used = this.current;
      const response = await this.fetch(method, `/v${used}${path}`, options);
      if (response.ok || response.status === 304) {
        this.settled = true;
        return response;
      }
      const error = toApiError(response.status, await response.text(), path);
      if (!this.renegotiated(error, used)) throw error;
    }
  }

  /** One call whose answer is JSON. */
  async json<T>(method: Method, path: string, options: RequestOptions = {}): Promise<T> {
    const response = await this.request(method, path, options);
    return (await response.json()) as T;
  }

  /** One call whose answer does not matter. */
  async send(method: Method, path: string, options: RequestOptions = {}): Promise<void> {
    const response = await this.request(method, path, options);
    await response.body?.cancel();
  }

  /** One call whose answer is a stream of bytes. */
  async stream(method: Method, path: string, options: RequestOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const response = await this.request(method, path, options);
    return bodyOf(response);
  }

  /** Takes over the connection of a POST (attach, exec start, session). Throws ApiError when the daemon refuses. */
  async hijack(path: string, options: RequestOptions & { upgrade?: string } = {}): Promise<HijackedStream> {
    const { openHijack } = await import("./client-hijack.ts");
    for (;;) {
      const used = this.current;
      const target = `/v${used}${path}${encodeQuery(options.query)}`;
      const headers = { ...this.headers(), ...options.headers };
      try {
        const stream = await openHijack(this.endpoint, target, { ...options, headers });
        this.settled = true;
        return stream;
      } catch (error) {
        if (!(error instanceof ApiError)) throw this.connectionError(error);
        if (!this.renegotiated(error, used)) throw error;
      }
    }
  }

  private headers(): Record<string, string> {
    return { "User-Agent": this.options.userAgent ?? "gantry", ...this.options.headers };
  }

  private async fetch(method: Method, path: string, options: RequestOptions): Promise<Response> {
    const { endpoint } = this;
    const origin =
      endpoint.unix !== undefined
        ? "http://localhost"
        : `${endpoint.tls ? "https" : "http"}://${urlHost(endpoint.host ?? "localhost")}:${endpoint.port}`;
    const headers: Record<string, string> = { ...this.headers(), ...options.headers };
    const json = options.bodyFor ? options.bodyFor(this.current) : options.body;
    if (json !== undefined) headers["Content-Type"] ??= "application/json";
    const body = options.stream ?? (json === undefined ? undefined : JSON.stringify(json));
    const init: BunFetchRequestInit & { timeout: false } = {
      method,
      headers,
      // A followed log or a wait may be silent for days.
      timeout: false,
      ...(body === undefined ? {} : { body }),
      ...(options.signal ? { signal: options.signal } : {}),
      ...(endpoint.unix === undefined ? {} : { unix: endpoint.unix }),
      ...(endpoint.tls ? { tls: fetchTls(endpoint) } : {}),
    };
    try {
      return await fetch(`${origin}${path}${encodeQuery(options.query)}`, init);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw this.connectionError(error);
    }
  }

  private connectionError(cause: unknown): Error {
    if (cause instanceof ConnectionError || cause instanceof ApiError) return cause;
    const product = this.options.product ?? "Docker";
    const { url } = this.endpoint;
    const text = errorMessage(cause);
    if (/certificate|TLS|SSL/i.test(text)) return new ConnectionError(`error during connect: ${text}`, { cause });
    const daemon = product.toLowerCase();
    return new ConnectionError(`Cannot connect to the ${product} daemon at ${url}. Is the ${daemon} daemon running?`, {
      cause,
    });
  }

  /** True when the daemon refused the version used as too new and another try with its own makes sense. */
  private renegotiated(error: ApiError, used: string): boolean {
    if (error.status !== 400 || this.options.version !== undefined) return false;
    const match = /client version [\d.]+ is too new\. Maximum supported API version is ([\d.]+)/.exec(error.message);
    if (match?.[1] === undefined) return false;
    this.stepDown(match[1]);
    this.settled = true;
    // Calls that run side by side may all have used the old version.
    return this.current !== used;
  }

  private stepDown(version: string): void {
    if (compareVersions(version, this.current) < 0) this.current = version;
  }
}

/** The `filters` query parameter. */
export function encodeFilters(filters: Filters): string | undefined {
  const entries = Object.entries(filters).map(([name, values]) => [
    name,
    Object.fromEntries(values.map((value) => [value, true])),
  ]);
  return entries.length === 0 ? undefined : JSON.stringify(Object.fromEntries(entries));
}

/** `1.41` against `1.51`: negative, 0 or positive. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split(".").map(Number), b.split(".").map(Number)];
  return (left[0] ?? 0) - (right[0] ?? 0) || (left[1] ?? 0) - (right[1] ?? 0);
}

function encodeQuery(query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (typeof value === "object") for (const item of value) params.append(name, item);
    else params.append(name, value === true ? "1" : value === false ? "0" : String(value));
  }
  const text = params.toString();
  return text === "" ? "" : `?${text}`;
}

function urlHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function fetchTls(endpoint: Endpoint): BunFetchRequestInitTLS {
  const { ca, cert, key, verify } = endpoint.tls ?? { verify: true };
  return {
    rejectUnauthorized: verify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}
