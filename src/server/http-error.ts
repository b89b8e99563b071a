/** The one place where an engine error becomes an HTTP answer. */
import { EngineError, type ErrorKind, errorKind, errorMessage } from "../base/errors.ts";
import type { HttpResponse } from "./http/message.ts";
import { HttpProtocolError } from "./http/request-head.ts";

const statuses: Record<ErrorKind, number> = {
  "invalid-argument": 400,
  unauthorized: 401,
  forbidden: 403,
  "not-found": 404,
  conflict: 409,
  "too-many-requests": 429,
  "not-modified": 304,
  "not-implemented": 501,
  unavailable: 503,
  canceled: 500,
  internal: 500,
};

export function errorStatus(error: unknown): number {
  return error instanceof HttpProtocolError ? error.status : statuses[errorKind(error)];
}

export function errorResponse(error: unknown): HttpResponse {
  const status = errorStatus(error);
  if (status === 304) return { status };
  const body = `${JSON.stringify({ message: errorMessage(error) })}\n`;
  return { status, headers: { "Content-Type": "application/json" }, body };
}

/** True for what only a defect explains: not raised on purpose by the engine, and not a client's broken request. */
export function isUnexpected(error: unknown): boolean {
  if (error instanceof HttpProtocolError) return false;
  return !(error instanceof EngineError) || error.kind === "internal";
}
