/** Backends for tests: what a test does not give is refused as unexpected. Also requests without a socket. */
import { internal } from "../base/errors.ts";
import { Logger } from "../base/log.ts";
import { type ApiServerOptions, createApiHandler } from "./api-server.ts";
import type { Backends } from "./backends.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "./http/message.ts";

export type FakeBackends = { [Noun in keyof Backends]?: Partial<Backends[Noun]> };

export function fakeBackends(fakes: FakeBackends): Backends {
  return {
    builder: refusing("builder", fakes.builder),
    buildkit: refusing("buildkit", fakes.buildkit),
    containers: refusing("containers", fakes.containers),
    execs: refusing("execs", fakes.execs),
    images: refusing("images", fakes.images),
    registries: refusing("registries", fakes.registries),
    volumes: refusing("volumes", fakes.volumes),
    volumeCopies: refusing("volumeCopies", fakes.volumeCopies),
    networks: refusing("networks", fakes.networks),
    system: refusing("system", {
      ping: () => ({ experimental: false, builderVersion: "2" as const }),
      ...fakes.system,
    }),
  };
}

function refusing<T extends object>(noun: string, methods: Partial<T> = {}): T {
  return new Proxy(methods, {
    get: (target, name) =>
      Reflect.get(target, name) ?? (() => Promise.reject(internal(`unexpected call: ${noun}.${String(name)}`))),
  }) as T;
}

export function fakeHandler(fakes: FakeBackends, options: Partial<ApiServerOptions> = {}): HttpHandler {
  const log = new Logger("fatal");
  return createApiHandler({ backends: fakeBackends(fakes), version: "1.2.3", log, ...options });
}

export interface FakeRequest {
  body?: string | object;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** `GET /v1.41/containers/json?all=1`; an object as body is sent as JSON with its Content-Type. */
export function request(line: string, { body, headers = {}, signal }: FakeRequest = {}): HttpRequest {
  const [method = "", target = ""] = line.split(" ");
  const url = new URL(target, "http://localhost");
  const text = typeof body === "object" ? JSON.stringify(body) : (body ?? "");
  const all = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  if (typeof body === "object") all.set("content-type", "application/json");
  return {
    method,
    path: decodeURIComponent(url.pathname),
    query: url.searchParams,
    headers: all,
    body: (async function* () {
      if (text !== "") yield Buffer.from(text);
    })(),
    bodyLength: Buffer.byteLength(text),
    signal: signal ?? new AbortController().signal,
  };
}

/** The whole body of a response as text. */
export async function bodyText({ body }: HttpResponse): Promise<string> {
  if (body === undefined) return "";
  if (typeof body === "string") return body;
  if (body instanceof Uint8Array) return Buffer.from(body).toString();
  let text = "";
  for await (const chunk of body) text += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
  return text;
}

/** Sends a request and gives its status and body: JSON parsed, or else text. */
export async function ask(handler: HttpHandler, line: string, options?: FakeRequest) {
  const response = await handler(request(line, options));
  const text = await bodyText(response);
  const isJson = response.headers?.["Content-Type"] === "application/json" && !text.trim().includes("\n");
  const body: unknown = isJson && text !== "" ? JSON.parse(text) : text;
  return { status: response.status, headers: response.headers ?? {}, body };
}
