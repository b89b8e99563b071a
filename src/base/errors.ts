/**
 * The one error type of the engine. Domain code throws these and knows no HTTP: `server/http-error.ts` maps a kind to a status.
 * A kind says what the client should do about it; the message is what Docker would print, word for word.
 */
export type ErrorKind =
  | "invalid-argument"
  | "unauthorized"
  | "forbidden"
  | "not-found"
  | "conflict"
  | "too-many-requests"
  | "not-modified"
  | "not-implemented"
  | "unavailable"
  | "canceled"
  | "internal";

export class EngineError extends Error {
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "EngineError";
    this.kind = kind;
  }
}

type Make = (message: string, options?: ErrorOptions) => EngineError;
const make =
  (kind: ErrorKind): Make =>
  (message, options) =>
    new EngineError(kind, message, options);

export const invalidArgument = make("invalid-argument");
export const unauthorized = make("unauthorized");
export const forbidden = make("forbidden");
export const notFound = make("not-found");
export const conflict = make("conflict");
export const notModified = make("not-modified");
export const notImplemented = make("not-implemented");
export const unavailable = make("unavailable");
export const canceled = make("canceled");
export const internal = make("internal");

/** The same error, its message begun with what could not be done. */
export function withPrefix(prefix: string, error: EngineError): EngineError {
  return new EngineError(error.kind, prefix + error.message, { cause: error });
}

/** What fails in `work` says first what could not be done. Being canceled stays what it is. */
export async function prefixed<T>(prefix: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof EngineError) || error.kind === "canceled") throw error;
    throw withPrefix(prefix, error);
  }
}

/** The kind of any thrown value; everything that is not an EngineError is `internal`. */
export function errorKind(error: unknown): ErrorKind {
  return error instanceof EngineError ? error.kind : "internal";
}

export function isNotFound(error: unknown): boolean {
  return errorKind(error) === "not-found";
}

/** A disk without room, or a quota that is used up, by whatever way it was noticed. */
export function isDiskFull(error: unknown): boolean {
  const code = errorCode(error) ?? "";
  return ["ENOSPC", "EDQUOT", "SQLITE_FULL"].includes(code) || diskFull.test(errorMessage(error));
}

const diskFull = /no space left on device|disk quota exceeded|database or disk is full/i;

/** The message of any thrown value. */
export function errorMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node's words for a system error, `ENOSPC: no space left on device, write '/x'`, in Go's order.
  const [, reason, call, path] = /^E[A-Z0-9]+: (.+), (\w+)(?: '(.*)')?$/s.exec(error.message) ?? [];
  return reason === undefined ? error.message : `${call}${path === undefined ? "" : ` ${path}`}: ${reason}`;
}

/** The `code` of a system error (`ENOENT`, `EEXIST`, …), or undefined. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
