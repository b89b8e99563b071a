/** A build's line in the history, from its beginning to its end. */
import { type GrpcError, toGrpcError } from "../../buildkit-api/grpc/status.ts";
import {
  type BuildHistoryRecord,
  type ControlSolveRequest,
  type Exporter,
  status,
  type Vertex,
} from "../../buildkit-api/protocol/messages.ts";
import { digestOf } from "../../oci/digest.ts";
import { now, type Progress } from "../progress.ts";

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

/** The same with what is known at the end. */
export function endedRecord(record: BuildHistoryRecord, progress: Progress, error?: unknown): BuildHistoryRecord {
  const vertices = new Map<string, Vertex>();
  for (const { vertexes = [] } of progress.all) for (const vertex of vertexes) vertices.set(vertex.digest, vertex);
  const steps = [...vertices.values()];
  const failure = error === undefined ? undefined : toGrpcError(error);
  return {
    ...record,
    CompletedAt: now(),
    numTotalSteps: steps.length,
    numCompletedSteps: steps.filter(({ completed, error: failed }) => completed && !failed).length,
    numCachedSteps: steps.filter(({ cached }) => cached).length,
    numWarnings: progress.all.reduce((sum, { warnings = [] }) => sum + warnings.length, 0),
    ...(failure && withError(failure)),
  };
}

function withError({ code, message, details }: GrpcError): Pick<BuildHistoryRecord, "error" | "externalError"> {
  const error = { code, message, details: [...details] };
  const bytes = status.encode(error);
  return { error, externalError: { media_type: statusType, digest: digestOf(bytes), size: bytes.length } };
}

/** The error of a record as the content that its digest stands for. */
export function errorContent({ error }: BuildHistoryRecord): Uint8Array {
  return error ? status.encode(error) : new Uint8Array();
}
