/** A build's line in the history, from its beginning to its end. */
import { toGrpcError } from "../../buildkit-api/grpc/status.ts";
import {
  type BuildHistoryRecord,
  type BuildResultInfo,
  type ContentDescriptor,
  type ControlSolveRequest,
  type Exporter,
  type StatusResponse,
  status,
  type Vertex,
} from "../../buildkit-api/protocol/messages.ts";
import { inTotoType, predicateKey } from "../../engine/images/builds/attestation.ts";
import { digestOf } from "../../oci/digest.ts";
import { formatPlatform } from "../../oci/platform.ts";
import type { Built } from "../frontend/frontend.ts";
import { now, type Progress } from "../progress.ts";
import { fullProvenance } from "../provenance/options.ts";
import { predicate, predicateTypes } from "../provenance/predicate.ts";

/** As BuildKit spells it. */
const statusType = "application/vnd.googeapis.google.rpc.status+proto";

export function newRecord(request: ControlSolveRequest, exporters: Exporter[]): BuildHistoryRecord {
  return {
    Ref: request.Ref,
    Frontend: request.Frontend,
    FrontendAttrs: { ...request.FrontendAttrs },
    Exporters: exporters,
    CreatedAt: now(),
    ExporterResponse: {},
    pinned: false,
    numCachedSteps: 0,
    numTotalSteps: 0,
    numCompletedSteps: 0,
    numWarnings: 0,
  };
}

export interface EndedBuild {
  record: BuildHistoryRecord;
  messages: readonly StatusResponse[];
  /** What the record names by digest. */
  contents: Uint8Array[];
}

export interface BuildEnd {
  progress: Progress;
  built?: Built | undefined;
  error?: unknown;
}

/** The record with what is known at the end, and what belongs to it. */
export function endedBuild(started: BuildHistoryRecord, { progress, built, error }: BuildEnd): EndedBuild {
  const { all: messages } = progress;
  const contents: Uint8Array[] = [];
  const describe = (media_type: string, bytes: Uint8Array): ContentDescriptor => {
    contents.push(bytes);
    return { media_type, digest: digestOf(bytes), size: bytes.length };
  };
  const record = { ...started, CompletedAt: now(), ...counts(messages) };
  if (error !== undefined) {
    const { code, message, details } = toGrpcError(error);
    record.error = { code, message, details: [...details] };
    record.externalError = describe(statusType, status.encode(record.error));
  } else if (built) {
    const times = { id: started.Ref, started: started.CreatedAt, finished: record.CompletedAt };
    const results = built.results.map(({ platform, origin }): [string, BuildResultInfo] => {
      const bytes = Buffer.from(JSON.stringify(predicate(origin, times, fullProvenance)));
      const annotations = { [predicateKey]: predicateTypes[fullProvenance.version] };
      return [formatPlatform(platform), { Attestations: [{ ...describe(inTotoType, bytes), annotations }] }];
    });
    if (built.several) record.Results = Object.fromEntries(results);
    else record.Result = results[0]?.[1] ?? null;
  }
  return { record, messages, contents };
}

function counts(messages: readonly StatusResponse[]) {
  const vertices = new Map<string, Vertex>();
  for (const { vertexes = [] } of messages) for (const vertex of vertexes) vertices.set(vertex.digest, vertex);
  const steps = [...vertices.values()];
  return {
    numTotalSteps: steps.length,
    numCompletedSteps: steps.filter(({ completed, error: failed }) => completed && !failed).length,
    numCachedSteps: steps.filter(({ cached }) => cached).length,
    numWarnings: messages.reduce((sum, { warnings = [] }) => sum + warnings.length, 0),
  };
}

/** Whether a record names the content. */
export function namesContent({ externalError, Result, Results = {} }: BuildHistoryRecord, digest: string): boolean {
  const attestations = [Result, ...Object.values(Results)].flatMap((result) => result?.Attestations ?? []);
  return [externalError, ...attestations].some((descriptor) => descriptor?.digest === digest);
}
