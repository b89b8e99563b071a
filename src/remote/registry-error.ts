/** What a registry answers when it refuses, in the words of distribution's client, which dockerd prints. */
import { EngineError, type ErrorKind } from "../base/errors.ts";
import { bodyOf, collectText } from "../base/streams.ts";
import { parseChallenges } from "./challenge.ts";

export interface RefusalDetails {
  /** HTTP status; 0 when there was no answer. */
  status: number;
  /** The specification's code (`MANIFEST_UNKNOWN`); empty for an answer that holds none. */
  code?: string;
  /** Seconds that the registry asks to wait. */
  retryAfter?: number | undefined;
  /** The registry said no more than the code: what is asked for is not named in the message. */
  bare?: boolean;
}

const kinds: Record<string, ErrorKind> = {
  UNAUTHORIZED: "unauthorized",
  DENIED: "forbidden",
  TOOMANYREQUESTS: "too-many-requests",
  NAME_UNKNOWN: "not-found",
  MANIFEST_UNKNOWN: "not-found",
};

export class RegistryError extends EngineError {
  readonly code: string;
  readonly status: number;
  readonly retryAfter: number | undefined;
  readonly bare: boolean;

  constructor(
    message: string,
    { status, code = "", retryAfter, bare = false }: RefusalDetails,
    options?: ErrorOptions,
  ) {
    super(kinds[code] ?? "internal", message, options);
    this.name = "RegistryError";
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
    this.bare = bare;
  }
}

const maxBody = 64 << 10;

/** What the specification says of each code; an answer that only repeats it says no more than the code. */
const defaultMessages: Record<string, string> = {
  UNKNOWN: "unknown error",
  UNSUPPORTED: "The operation is unsupported.",
  UNAUTHORIZED: "authentication required",
  DENIED: "requested access to the resource is denied",
  UNAVAILABLE: "service unavailable",
  TOOMANYREQUESTS: "too many requests",
  DIGEST_INVALID: "provided digest did not match uploaded content",
  SIZE_INVALID: "provided length did not match content length",
  NAME_INVALID: "invalid repository name",
  TAG_INVALID: "manifest tag did not match URI",
  NAME_UNKNOWN: "repository name not known to registry",
  MANIFEST_UNKNOWN: "manifest unknown",
  MANIFEST_INVALID: "manifest invalid",
  MANIFEST_UNVERIFIED: "manifest failed signature verification",
  MANIFEST_BLOB_UNKNOWN: "blob unknown to registry",
  BLOB_UNKNOWN: "blob unknown to registry",
  BLOB_UPLOAD_UNKNOWN: "blob upload unknown to registry",
  BLOB_UPLOAD_INVALID: "blob upload invalid",
};

/** Codes of answers that hold none. */
const statusCodes: Record<number, string> = { 401: "UNAUTHORIZED", 403: "DENIED", 429: "TOOMANYREQUESTS" };

/** https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes */
export async function toRegistryError(response: Response): Promise<RegistryError> {
  const { status } = response;
  const retryAfter = retryAfterOf(response);
  const body = await readText(response);
  if (status >= 500) {
    return new RegistryError(`received unexpected HTTP status: ${statusLine(response)}`, { status, retryAfter });
  }
  const bearer = parseChallenges(response.headers.get("WWW-Authenticate")).find(({ scheme }) => scheme === "bearer");
  if (bearer?.parameters["error"] === "insufficient_scope") {
    return new RegistryError("denied: requested access to the resource is denied", { status, code: "DENIED" });
  }
  const known = fromBody(body);
  if (known) {
    const { code, message, bare } = known;
    return new RegistryError(bare ? words(code) : `${words(code)}: ${message}`, { status, code, retryAfter, bare });
  }
  const code = statusCodes[status] ?? "UNKNOWN";
  return new RegistryError(`${words(code)}: ${body}`, { status, code, retryAfter });
}

export function statusLine({ status, statusText }: Response): string {
  return `${status} ${statusText}`.trim();
}

/** Seconds, from seconds or a date. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
export function retryAfterOf(response: Response): number | undefined {
  const header = response.headers.get("Retry-After")?.trim() ?? "";
  if (/^\d{1,9}$/.test(header)) return Number(header);
  const date = Date.parse(header);
  return header === "" || Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}

function words(code: string): string {
  return code.toLowerCase().replaceAll("_", " ");
}

/** Of an answer that is too long for a reason, nothing. */
async function readText(response: Response): Promise<string> {
  return collectText(bodyOf(response), maxBody).catch(() => "");
}

function fromBody(body: string): { code: string; message: string; bare: boolean } | undefined {
  try {
    const first = (JSON.parse(body) as { errors?: { code?: unknown; message?: unknown; detail?: unknown }[] } | null)
      ?.errors?.[0];
    if (typeof first?.code !== "string") return undefined;
    const { code, detail } = first;
    const message = typeof first.message === "string" ? first.message : "";
    const repeats = message === "" || message === defaultMessages[code];
    return { code, message: message || words(code), bare: repeats && (detail === undefined || detail === null) };
  } catch {
    return undefined;
  }
}
