/** gRPC's status codes and the error that carries one. Source: gRPC, "Status codes and their use in gRPC"; google/rpc/status.proto. */
import { type ErrorKind, errorKind, errorMessage } from "../../base/errors.ts";

export const codes = {
  ok: 0,
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** google.protobuf.Any. */
export interface Detail {
  type_url: string;
  value: Uint8Array;
}

export class GrpcError extends Error {
  readonly code: number;
  /** Typed facts about the error, for clients that know them. */
  readonly details: readonly Detail[];

  constructor(code: number, message: string, details: readonly Detail[] = []) {
    super(message);
    this.name = "GrpcError";
    this.code = code;
    this.details = details;
  }
}

const codeOf: Record<ErrorKind, number> = {
  "invalid-argument": codes.invalidArgument,
  unauthorized: codes.unauthenticated,
  forbidden: codes.permissionDenied,
  "not-found": codes.notFound,
  conflict: codes.failedPrecondition,
  "too-many-requests": codes.resourceExhausted,
  "not-modified": codes.unknown,
  "not-implemented": codes.unimplemented,
  unavailable: codes.unavailable,
  canceled: codes.canceled,
  internal: codes.unknown,
};

/** The same with the code that clients do not print before the message. */
export function withoutCode(error: unknown): GrpcError {
  const { code, message, details } = toGrpcError(error);
  return new GrpcError(code === codes.canceled ? code : codes.unknown, message, details);
}

/** Any thrown value as what a client is told. */
export function toGrpcError(error: unknown): GrpcError {
  return error instanceof GrpcError ? error : new GrpcError(codeOf[errorKind(error)], errorMessage(error));
}
