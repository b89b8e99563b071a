/** HTTP to one registry: TLS, redirects, time limits, and errors in the words of Go's client, which dockerd prints. */
import { canceled, errorCode } from "../base/errors.ts";
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
      // Bun's fetch would read files, too: where a registry sends us is not ours to trust.
      const { protocol } = new URL(target);
      if (protocol !== "http:" && protocol !== "https:")
        throw astray(method, url, `unsupported protocol scheme ${JSON.stringify(protocol.slice(0, -1))}`);
      const { Authorization: _, ...anonymous } = headers;
      const sent = new URL(target).origin === origin ? headers : anonymous;
      const response = await this.send(target, method, sent, body?.(), signal);
      const location = response.headers.get("Location");
      if (![301, 302, 303, 307, 308].includes(response.status) || location === null || body) return response;
      await response.body?.cancel();
      if (redirects >= maxRedirects) throw astray(method, url, "stopped after 10 redirects");
      if (!URL.canParse(location, target))
        throw astray(method, url, `failed to parse Location header ${JSON.stringify(location)}`);
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
      // Where http is allowed it is tried anyway.
      if (errorCode(error) === "EPROTO" && (!this.endpoint.secure || (await speaksHttp(url))))
        throw failure(method, url, "http: server gave HTTP response to HTTPS client");
      throw failure(method, url, connectionProblem(error, url));
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The registry's answer leads nowhere: asking again is no use. */
function astray(method: string, url: string, why: string): RegistryError {
  return new RegistryError(`${requestText(method, url)}: ${why}`, { status: 307 });
}

/** Why a handshake failed is not told: ask whether it is no TLS at all. Servers of TLS answer such a request with 400. */
async function speaksHttp(url: string): Promise<boolean> {
  const { host } = new URL(url);
  try {
    const response = await fetch(`http://${host}/v2/`, { redirect: "manual", signal: AbortSignal.timeout(2000) });
    await response.body?.cancel();
    return response.status !== 400;
  } catch {
    return false;
  }
}

function failure(method: string, url: string, why: string): RegistryError {
  return new RegistryError(`${requestText(method, url)}: ${why}`, { status: 0 });
}

/** `Get "https://…"`, as Go's errors begin. */
export function requestText(method: string, url: string): string {
  return `${method.charAt(0)}${method.slice(1).toLowerCase()} ${JSON.stringify(url)}`;
}
