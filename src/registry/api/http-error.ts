/**
 * The registry's errors: one table of the specification's codes with their statuses, and the one place that turns a thrown value into
 * a response. https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
 */
import { errorKind, errorMessage, isDiskFull } from "../../base/errors.ts";

/** Code → status and the message that clients know; the first fourteen are the specification's, the rest Docker's registry's. */
const table = {
  BLOB_UNKNOWN: [404, "blob unknown to registry"],
  BLOB_UPLOAD_INVALID: [400, "blob upload invalid"],
  BLOB_UPLOAD_UNKNOWN: [404, "blob upload unknown to registry"],
  DIGEST_INVALID: [400, "provided digest did not match uploaded content"],
  MANIFEST_BLOB_UNKNOWN: [404, "manifest references a manifest or blob unknown to registry"],
  MANIFEST_INVALID: [400, "manifest invalid"],
  MANIFEST_UNKNOWN: [404, "manifest unknown"],
  NAME_INVALID: [400, "invalid repository name"],
  NAME_UNKNOWN: [404, "repository name not known to registry"],
  SIZE_INVALID: [400, "provided length did not match content length"],
  UNAUTHORIZED: [401, "authentication required"],
  DENIED: [403, "requested access to the resource is denied"],
  UNSUPPORTED: [405, "the operation is unsupported"],
  TOOMANYREQUESTS: [429, "too many requests"],
  TAG_INVALID: [400, "manifest tag did not match URI"],
  PAGINATION_NUMBER_INVALID: [400, "invalid number of results requested"],
  RANGE_INVALID: [416, "invalid content range"],
  NOT_FOUND: [404, "page not found"],
  UNAVAILABLE: [503, "service unavailable"],
  UNKNOWN: [500, "unknown error"],
} as const satisfies Record<string, readonly [number, string]>;

export type ErrorCode = keyof typeof table;

export interface RegistryErrorOptions extends ErrorOptions {
  /** Shown to the client under `detail`. */
  detail?: unknown;
  headers?: Record<string, string>;
  /** Instead of the code's own. */
  status?: number;
}

/** An answer of the registry that is not success. The message is the code's own unless another is given. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";
  readonly code: ErrorCode;
  readonly detail: unknown;
  readonly headers: Record<string, string>;
  readonly status: number;

  constructor(code: ErrorCode, message?: string, options: RegistryErrorOptions = {}) {
    super(message ?? table[code][1], options);
    this.code = code;
    this.detail = options.detail;
    this.headers = options.headers ?? {};
    this.status = options.status ?? table[code][0];
  }
}

/** A foreign error is UNKNOWN (its text stays in the log); a full disk is UNAVAILABLE, so that clients try again. */
export function toRegistryError(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  if (errorKind(error) === "unavailable")
    return new RegistryError("UNAVAILABLE", errorMessage(error), { cause: error });
  if (isDiskFull(error)) {
    return new RegistryError("UNAVAILABLE", "no space left in the registry's storage", { cause: error });
  }
  return new RegistryError("UNKNOWN", undefined, { cause: error });
}

/** With a detail in any case: where there is none, Docker's client throws the message away, and takes a refusal for a failure that passes. */
export function errorResponse(error: RegistryError): Response {
  const { code, message, detail = {} } = error;
  const body = JSON.stringify({ errors: [{ code, message, detail }] });
  return new Response(body, {
    status: error.status,
    headers: { "content-type": "application/json", ...error.headers },
  });
}
