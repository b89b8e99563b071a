/** What a registry answers when it refuses, in the words of distribution's client, which dockerd prints. */
import { EngineError } from "../base/errors.ts";
import { parseChallenges } from "./challenge.ts";

/** `code` is the specification's (`MANIFEST_UNKNOWN`); empty for an answer that holds none. */
export class RegistryError extends EngineError {
  readonly code: string;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Seconds that the registry asks to wait. */
  readonly retryAfter: number | undefined;

  constructor(status: number, code: string, message: string, retryAfter?: number) {
    super("internal", message);
    this.name = "RegistryError";
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

const maxBody = 64 << 10;

/** https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes */
export async function toRegistryError(response: Response): Promise<RegistryError> {
  const body = (await readText(response)).slice(0, maxBody);
  const retryAfter = Number(response.headers.get("Retry-After") ?? "") || undefined;
  const { status } = response;
  if (status >= 500) {
    return new RegistryError(status, "", `received unexpected HTTP status: ${statusLine(response)}`, retryAfter);
  }
  const oauth = parseChallenges(response.headers.get("WWW-Authenticate")).find(({ scheme }) => scheme === "bearer");
  if (oauth?.parameters["error"] === "insufficient_scope") {
    return new RegistryError(status, "DENIED", "denied: requested access to the resource is denied");
  }
  const known = fromBody(body);
  if (known) return new RegistryError(status, known.code, `${words(known.code)}: ${known.message}`, retryAfter);
  if (status === 401) return new RegistryError(status, "UNAUTHORIZED", "unauthorized: authentication required");
  if (status === 403) {
    return new RegistryError(status, "DENIED", "denied: requested access to the resource is denied");
  }
  if (status === 429)
    return new RegistryError(status, "TOOMANYREQUESTS", "toomanyrequests: too many requests", retryAfter);
  if (status === 404 && body === "") return new RegistryError(status, "", `unexpected status: ${statusLine(response)}`);
  return new RegistryError(
    status,
    "",
    `error parsing HTTP ${status} response body: ${JSON.stringify(body)}`,
    retryAfter,
  );
}

export function statusLine({ status, statusText }: Response): string {
  return `${status} ${statusText}`.trim();
}

function words(code: string): string {
  return code.toLowerCase().replaceAll("_", " ");
}

async function readText(response: Response): Promise<string> {
  return response.text().catch(() => "");
}

function fromBody(body: string): { code: string; message: string } | undefined {
  try {
    const first = (JSON.parse(body) as { errors?: { code?: unknown; message?: unknown }[] } | null)?.errors?.[0];
    if (typeof first?.code !== "string") return undefined;
    return {
      code: first.code,
      message: typeof first.message === "string" && first.message ? first.message : words(first.code),
    };
  } catch {
    return undefined;
  }
}
