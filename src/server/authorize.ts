/**
 * Puts authorization plugins around the API. They see a request with its JSON body before it is served, and the answer before its head
 * is sent; bodies that are streams are none of theirs, as in dockerd.
 */
import type { AuthorizationRequest, AuthorizationResponse } from "../api/authorization.ts";
import { errorMessage, invalidArgument } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { collect, once } from "../base/streams.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "./http/message.ts";
import { errorResponse } from "./http-error.ts";

/** Largest body of a request that is read. All of it is shown: what a plugin does not see, it cannot refuse. */
const maxBody = 16 << 20;

/** Methods reject with the error to answer. */
export interface Authorizer {
  /** Without any, nothing is looked at. */
  readonly names: readonly string[];
  authorizeRequest(request: AuthorizationRequest): Promise<void>;
  authorizeResponse(response: AuthorizationResponse): Promise<void>;
}

export function authorized(authorizer: Authorizer, handler: HttpHandler, log: Pick<Logger, "error">): HttpHandler {
  return async (request) => {
    if (authorizer.names.length === 0) return handler(request);
    const what = `${request.method} ${request.path}`;
    try {
      const { seen, whole } = await look(request);
      await authorizer.authorizeRequest(seen);
      const response = await handler(whole);
      const refused = await authorizer.authorizeResponse({ ...seen, ...shown(response, request) }).then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
      // A request that failed has its own error to tell.
      if (refused === undefined || response.status >= 400) return response;
      throw refused.error;
    } catch (error) {
      log.error(`authorization of ${what} failed`, { error: errorMessage(error) });
      return errorResponse(error);
    }
  };
}

/** As Go writes bytes into JSON. */
function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

async function look(request: HttpRequest): Promise<{ seen: AuthorizationRequest; whole: HttpRequest }> {
  const { method, headers, path } = request;
  const peer = request.peer?.();
  const seen: AuthorizationRequest = {
    ...(peer
      ? { User: peer.name, UserAuthNMethod: "TLS", RequestPeerCertificates: peer.certificates.map(base64) }
      : {}),
    RequestMethod: method,
    RequestUri: request.target ?? path,
    RequestHeaders: withoutSecrets([...headers]),
  };
  const type = headers.get("content-type") ?? "";
  if (request.bodyLength === 0 || !(type === "" || isJson(type))) return { seen, whole: request };
  let body: Uint8Array;
  try {
    body = await collect(request.body, maxBody);
  } catch (cause) {
    if (cause instanceof RangeError) throw invalidArgument("invalid JSON: http: request body too large", { cause });
    throw cause;
  }
  const whole = { ...request, body: once(body), bodyLength: body.length };
  // The password of a login is not for them.
  if (path.endsWith("/auth")) return { seen, whole };
  return { seen: { ...seen, RequestBody: Buffer.from(body).toString("base64") }, whole };
}

function shown({ status, headers = {}, body, upgrade }: HttpResponse, { path }: HttpRequest) {
  const whole = typeof body === "string" || body instanceof Uint8Array ? Buffer.from(body as string) : undefined;
  const sendsBody = whole !== undefined && isJson(headers["Content-Type"] ?? "") && !path.endsWith("/auth");
  return {
    ResponseStatusCode: upgrade ? 101 : status,
    ResponseHeaders: withoutSecrets(Object.entries(headers)),
    ...(sendsBody ? { ResponseBody: whole.toString("base64") } : {}),
  };
}

function isJson(type: string): boolean {
  return type.split(";")[0]?.trim().toLowerCase() === "application/json";
}

/** Names as Go writes them. */
function withoutSecrets(headers: readonly (readonly [string, string])[]): Record<string, string> {
  const secret = new Set(["authorization", "x-registry-config", "x-registry-auth"]);
  const shown = headers.filter(([name]) => !secret.has(name.toLowerCase()));
  return Object.fromEntries(shown.map(([name, value]) => [canonical(name), value]));
}

function canonical(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (letters) => letters.toUpperCase());
}
