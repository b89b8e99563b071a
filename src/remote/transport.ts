/** HTTP to one registry: TLS, redirects, time limits, and errors in the words of Go's client, which dockerd prints. */
import { canceled } from "../base/errors.ts";
import { type TlsOptions, tlsOptions } from "./certificates.ts";
import { connectionProblem } from "./connection-problem.ts";
import type { Endpoint } from "./endpoints.ts";
import { RegistryError } from "./registry-error.ts";

export interface RequestOptions {
  method?: string;
  headers?: Record<string, string>;
  /** Called for each attempt; a stream is sent with `Transfer-Encoding: chunked`. */
  body?: () => Uint8Array | string | AsyncIterable<Uint8Array>;
  signal: AbortSignal;
}

const maxRedirects = 10;
/** Milliseconds that a registry may take for the head of its answer. A stalled body is the reader's to notice. */
const headTimeout = 60_000;

/** Where requests go first; what they are redirected to gets no credentials. */
export class Transport {
  readonly endpoint: Endpoint;
  private readonly tls: TlsOptions;

  constructor(endpoint: Endpoint, certificates?: string[]) {
    this.endpoint = endpoint;
    this.tls = tlsOptions(new URL(endpoint.url).host, endpoint.secure, certificates);
  }

  /** Any answer is a response; only no answer at all rejects, with a RegistryError of status 0. */
  async fetch(url: string, options: RequestOptions): Promise<Response> {
    const { method = "GET", headers = {}, body, signal } = options;
    const origin = new URL(url).origin;
    let target = url;
    for (let redirects = 0; ; redirects++) {
      const { Authorization: _, ...anonymous } = headers;
      const sent = new URL(target).origin === origin ? headers : anonymous;
      const response = await this.send(target, method, sent, body?.(), signal);
      const location = response.headers.get("Location");
      if (![301, 302, 303, 307, 308].includes(response.status) || location === null || body) return response;
      await response.body?.cancel();
      if (redirects >= maxRedirects) throw failure(method, url, "stopped after 10 redirects");
      if (!URL.canParse(location, target))
        throw failure(method, url, `failed to parse Location header ${JSON.stringify(location)}`);
      target = new URL(location, target).href;
    }
  }

  private async send(
    url: string,
    method: string,
    headers: Record<string, string>,
    body: Uint8Array | string | AsyncIterable<Uint8Array> | undefined,
    signal: AbortSignal,
  ): Promise<Response> {
    signal.throwIfAborted();
    // Bun's fetch would read files, too: where a registry sends us is not ours to trust.
    const { protocol } = new URL(url);
    if (protocol !== "http:" && protocol !== "https:")
      throw failure(method, url, `unsupported protocol scheme ${JSON.stringify(protocol.slice(0, -1))}`);
    // Long uploads may take as long as they like: their server answers only at the end.
    const slow = new AbortController();
    const streamed = body !== undefined && typeof body !== "string" && !(body instanceof Uint8Array);
    const timer = streamed ? undefined : setTimeout(() => slow.abort(), headTimeout);
    try {
      return await fetch(url, {
        method,
        headers: { "User-Agent": "gantry", ...headers },
        redirect: "manual",
        decompress: false,
        tls: this.tls,
        signal: AbortSignal.any([signal, slow.signal]),
        ...(body === undefined ? {} : { body: body as NonNullable<RequestInit["body"]> }),
      });
    } catch (error) {
      if (signal.aborted) throw canceled("context canceled", { cause: error });
      if (slow.signal.aborted) throw failure(method, url, "net/http: timeout awaiting response headers");
      throw failure(method, url, connectionProblem(error, url));
    } finally {
      clearTimeout(timer);
    }
  }
}

function failure(method: string, url: string, why: string): RegistryError {
  return new RegistryError(`${requestText(method, url)}: ${why}`, { status: 0 });
}

/** `Get "https://…"`, as Go's errors begin. */
export function requestText(method: string, url: string): string {
  return `${method.charAt(0)}${method.slice(1).toLowerCase()} ${JSON.stringify(url)}`;
}
