/** Errors and warnings that point at lines of the Dockerfile. Source: moby/buildkit solver/errdefs, util/grpcerrors. */

import { GrpcError, withoutCode } from "../../buildkit-api/grpc/status.ts";
import type { Range, SourceInfo } from "../../buildkit-api/protocol/messages.ts";
import type { Location } from "../../dockerfile/instructions.ts";

export interface DockerfileSource {
  /** As the client knows it. */
  filename: string;
  text: string;
}

export function sourceInfo({ filename, text }: DockerfileSource): SourceInfo {
  return { filename, data: Buffer.from(text), language: "Dockerfile" };
}

export function rangeOf({ startLine, endLine }: Location): Range {
  return { start: { line: startLine, character: 0 }, end: { line: endLine, character: 0 } };
}

/** The same as JSON, in the names of the .proto files. */
export function sourceJson({ filename, text }: DockerfileSource) {
  return { filename, language: "Dockerfile", data: Buffer.from(text).toString("base64") };
}

export function rangesJson({ startLine, endLine }: Location) {
  return { ranges: [{ start: { line: startLine }, end: { line: endLine } }] };
}

/** The error with the place where the client shows it. Clients read this detail as JSON, in the names of the .proto files. */
export function atSource(error: unknown, source: DockerfileSource, location: Location | undefined): GrpcError {
  const { code, message, details } = withoutCode(error);
  if (!location || location.startLine === 0) return new GrpcError(code, message, details);
  const value = { info: sourceJson(source), ...rangesJson(location) };
  const detail = {
    type_url: "github.com/moby/buildkit/errdefs.Source+json",
    value: Buffer.from(JSON.stringify(value)),
  };
  return new GrpcError(code, message, [...details, detail]);
}
