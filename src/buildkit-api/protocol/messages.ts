/**
 * The protobuf messages of BuildKit's services, as far as Gantry speaks them, typed. Field names are those of the .proto files.
 * Source: moby/buildkit api/services/control, frontend/gateway/pb, session; tonistiigi/fsutil types; google/rpc/status.proto.
 */
import protobuf from "protobufjs";
import controlProto from "./control.proto" with { type: "text" };
import fsutilProto from "./fsutil.proto" with { type: "text" };
import gatewayProto from "./gateway.proto" with { type: "text" };
import healthProto from "./health.proto" with { type: "text" };
import opsProto from "./ops.proto" with { type: "text" };
import sessionProto from "./session.proto" with { type: "text" };
import statusProto from "./status.proto" with { type: "text" };
import timestampProto from "./timestamp.proto" with { type: "text" };
import workerProto from "./worker.proto" with { type: "text" };

export interface Codec<T> {
  encode(value: T): Uint8Array;
  /** Every field is there: what was not sent has its type's zero, a message that was not sent is null. */
  decode(bytes: Uint8Array): T;
}

const sources = [
  timestampProto,
  statusProto,
  healthProto,
  opsProto,
  workerProto,
  controlProto,
  fsutilProto,
  gatewayProto,
  sessionProto,
];

let types: protobuf.Root | undefined;

/** Parsed at first use: most daemons never build. */
function root(): protobuf.Root {
  if (types) return types;
  types = new protobuf.Root();
  for (const source of sources) protobuf.parse(source, types, { keepCase: true });
  types.resolveAll();
  return types;
}

function codec<T>(name: string): Codec<T> {
  let type: protobuf.Type | undefined;
  const find = () => {
    type ??= root().lookupType(name);
    return type;
  };
  return {
    encode: (value) =>
      find()
        .encode(find().fromObject(value as object))
        .finish(),
    decode: (bytes) => find().toObject(find().decode(bytes), { longs: Number, defaults: true }) as T,
  };
}

export interface Timestamp {
  seconds: number;
  nanos: number;
}

export interface Status {
  code: number;
  message: string;
  details: { type_url: string; value: Uint8Array }[];
}
export const status = codec<Status>("google.rpc.Status");

export const healthRequest = codec<{ service: string }>("grpc.health.v1.HealthCheckRequest");
export const healthResponse = codec<{ status: number }>("grpc.health.v1.HealthCheckResponse");

export interface Definition {
  def: Uint8Array[];
  metadata: Record<string, { description: Record<string, string> }>;
}
export interface Op {
  inputs?: { digest: string; index: number }[];
  source?: { identifier: string; attrs: Record<string, string> } | null;
  file?: { actions: { copy?: FileCopy | null }[] } | null;
}
export interface FileCopy {
  src: string;
  dest: string;
  dirCopyContents: boolean;
  include_patterns: string[];
  exclude_patterns: string[];
}
export const op = codec<Op>("pb.Op");

export interface SourceInfo {
  filename: string;
  data: Uint8Array;
  language: string;
}
export interface Range {
  start: { line: number; character: number };
  end: { line: number; character: number };
}

export interface WorkerRecord {
  ID: string;
  Labels: Record<string, string>;
  platforms: { Architecture: string; OS: string; Variant: string }[];
  GCPolicy: {
    all?: boolean;
    keepDuration?: number;
    filters?: string[];
    reservedSpace?: number;
    maxUsedSpace?: number;
    minFreeSpace?: number;
  }[];
  BuildkitVersion: { package: string; version: string; revision: string };
}

export interface UsageRecord {
  ID: string;
  Mutable: boolean;
  InUse: boolean;
  Size: number;
  CreatedAt: Timestamp;
  LastUsedAt: Timestamp | null;
  UsageCount: number;
  Description: string;
  RecordType: string;
  Shared: boolean;
  Parents: string[];
}
export const usageRecord = codec<UsageRecord>("moby.buildkit.v1.UsageRecord");
export const diskUsageRequest = codec<{ filter: string[]; ageLimit: number }>("moby.buildkit.v1.DiskUsageRequest");
export const diskUsageResponse = codec<{ record: UsageRecord[] }>("moby.buildkit.v1.DiskUsageResponse");
export interface PruneRequest {
  filter: string[];
  all: boolean;
  /** Nanoseconds. */
  keepDuration: number;
  reservedSpace: number;
  maxUsedSpace: number;
  minFreeSpace: number;
}
export const pruneRequest = codec<PruneRequest>("moby.buildkit.v1.PruneRequest");

export interface Exporter {
  Type: string;
  Attrs: Record<string, string>;
}
export interface CacheOptionsEntry {
  Type: string;
  Attrs: Record<string, string>;
}
export interface ControlSolveRequest {
  Ref: string;
  Definition: Definition | null;
  ExporterDeprecated: string;
  ExporterAttrsDeprecated: Record<string, string>;
  Session: string;
  Frontend: string;
  FrontendAttrs: Record<string, string>;
  Cache: { Exports: CacheOptionsEntry[]; Imports: CacheOptionsEntry[] } | null;
  Entitlements: string[];
  FrontendInputs: Record<string, Definition>;
  Internal: boolean;
  SourcePolicy: object | null;
  Exporters: Exporter[];
  EnableSessionExporter: boolean;
}
export const controlSolveRequest = codec<ControlSolveRequest>("moby.buildkit.v1.SolveRequest");
export const controlSolveResponse = codec<{ ExporterResponse: Record<string, string> }>(
  "moby.buildkit.v1.SolveResponse",
);

export interface Vertex {
  digest: string;
  inputs?: string[];
  name: string;
  cached?: boolean;
  started?: Timestamp;
  completed?: Timestamp;
  error?: string;
}
export interface VertexStatus {
  ID: string;
  vertex: string;
  name?: string;
  current: number;
  total?: number;
  timestamp: Timestamp;
  started?: Timestamp;
  completed?: Timestamp;
}
export interface VertexLog {
  vertex: string;
  timestamp: Timestamp;
  stream: number;
  msg: Uint8Array;
}
export interface VertexWarning {
  vertex: string;
  level: number;
  short: Uint8Array;
  detail: Uint8Array[];
  url: string;
  info: SourceInfo;
  ranges: Range[];
}
export interface StatusResponse {
  vertexes?: Vertex[];
  statuses?: VertexStatus[];
  logs?: VertexLog[];
  warnings?: VertexWarning[];
}
export const statusRequest = codec<{ Ref: string }>("moby.buildkit.v1.StatusRequest");
export const statusResponse = codec<StatusResponse>("moby.buildkit.v1.StatusResponse");
/** What the history keeps of a build beside its record: all that it said, and what the record names by digest. */
export const buildFiles = codec<{ messages: StatusResponse[]; contents: Uint8Array[] }>("moby.buildkit.v1.BuildFiles");

export interface ContentDescriptor {
  media_type: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}
export interface BuildResultInfo {
  Attestations: ContentDescriptor[];
}

export interface BuildHistoryRequest {
  ActiveOnly: boolean;
  Ref: string;
  EarlyExit: boolean;
  Filter: string[];
  Limit: number;
}
export const buildHistoryRequest = codec<BuildHistoryRequest>("moby.buildkit.v1.BuildHistoryRequest");
export const historyEvents = { started: 0, complete: 1, deleted: 2 } as const;
export interface BuildHistoryRecord {
  Ref: string;
  Frontend: string;
  FrontendAttrs: Record<string, string>;
  Exporters: Exporter[];
  error?: Status | null;
  CreatedAt: Timestamp;
  CompletedAt?: Timestamp | null;
  ExporterResponse: Record<string, string>;
  /** Of one result, or of each platform's. */
  Result?: BuildResultInfo | null;
  Results?: Record<string, BuildResultInfo>;
  pinned: boolean;
  numCachedSteps: number;
  numTotalSteps: number;
  numCompletedSteps: number;
  /** The error with its details, as content that clients read. */
  externalError?: ContentDescriptor | null;
  numWarnings: number;
}
export const buildHistoryRecord = codec<BuildHistoryRecord>("moby.buildkit.v1.BuildHistoryRecord");
export interface BuildHistoryEvent {
  type: number;
  record: BuildHistoryRecord;
}
export const buildHistoryEvent = codec<BuildHistoryEvent>("moby.buildkit.v1.BuildHistoryEvent");
export interface UpdateBuildHistoryRequest {
  Ref: string;
  Pinned: boolean;
  Delete: boolean;
  Finalize: boolean;
}
export const updateBuildHistoryRequest = codec<UpdateBuildHistoryRequest>("moby.buildkit.v1.UpdateBuildHistoryRequest");

export const listWorkersResponse = codec<{ record: WorkerRecord[] }>("moby.buildkit.v1.ListWorkersResponse");
export const infoResponse = codec<{ buildkitVersion: WorkerRecord["BuildkitVersion"] }>(
  "moby.buildkit.v1.InfoResponse",
);

export interface Ref {
  id: string;
  def?: Definition | null;
}
export interface Result {
  ref?: Ref | null;
  refs?: { refs: Record<string, Ref> } | null;
  metadata: Record<string, Uint8Array>;
}
export interface GatewaySolveRequest {
  Definition: Definition | null;
  Frontend: string;
  FrontendOpt: Record<string, string>;
  CacheImports: CacheOptionsEntry[];
  FrontendInputs: Record<string, Definition>;
  Evaluate: boolean;
}
export const gatewaySolveRequest = codec<GatewaySolveRequest>("moby.buildkit.v1.frontend.SolveRequest");
export const gatewaySolveResponse = codec<{ result: Result }>("moby.buildkit.v1.frontend.SolveResponse");
export const returnRequest = codec<{ result: Result | null; error: Status | null }>(
  "moby.buildkit.v1.frontend.ReturnRequest",
);
export const inputsResponse = codec<{ Definitions: Record<string, Definition> }>(
  "moby.buildkit.v1.frontend.InputsResponse",
);
export const pongResponse = codec<{
  FrontendAPICaps: { ID: string; Enabled: boolean }[];
  LLBCaps: { ID: string; Enabled: boolean }[];
  Workers: WorkerRecord[];
}>("moby.buildkit.v1.frontend.PongResponse");
export const readFileRequest = codec<{
  Ref: string;
  FilePath: string;
  Range: { Offset: number; Length: number } | null;
}>("moby.buildkit.v1.frontend.ReadFileRequest");
export const readFileResponse = codec<{ Data: Uint8Array }>("moby.buildkit.v1.frontend.ReadFileResponse");
export const statFileRequest = codec<{ Ref: string; Path: string }>("moby.buildkit.v1.frontend.StatFileRequest");
export const statFileResponse = codec<{ stat: Partial<Stat> }>("moby.buildkit.v1.frontend.StatFileResponse");
export const evaluateRequest = codec<{ Ref: string }>("moby.buildkit.v1.frontend.EvaluateRequest");

/** Of `fsutil`: what a file is. `mode` has Go's bits (`fs.FileMode`), `modTime` nanoseconds since 1970. */
export interface Stat {
  path: Uint8Array;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  modTime: number;
  linkname: Uint8Array;
  devmajor: number;
  devminor: number;
  xattrs: Record<string, Uint8Array>;
}
export const packetTypes = { stat: 0, request: 1, data: 2, end: 3, error: 4 } as const;
export interface Packet {
  type: number;
  stat?: Stat | null;
  ID?: number;
  data?: Uint8Array;
}
export const packet = codec<Packet>("fsutil.types.Packet");

export const credentialsRequest = codec<{ Host: string }>("session.CredentialsRequest");
export const credentialsResponse = codec<{ Username: string; Secret: string }>("session.CredentialsResponse");
export const secretRequest = codec<{ ID: string }>("session.GetSecretRequest");
export const secretResponse = codec<{ data: Uint8Array }>("session.GetSecretResponse");
export const checkAgentRequest = codec<{ ID: string }>("session.CheckAgentRequest");
export const bytesMessage = codec<{ data: Uint8Array }>("session.BytesMessage");

/** containerd's service of content by digest: what of it a client's stores and the daemon's history serve. */
export const contentMethods = {
  info: "/containerd.services.content.v1.Content/Info",
  read: "/containerd.services.content.v1.Content/Read",
  write: "/containerd.services.content.v1.Content/Write",
} as const;
/** The header that names one of a client's stores. */
export const contentStoreHeader = "buildkit-attachable-store-id";
export const writeActions = { stat: 0, write: 1, commit: 2 } as const;
export const contentInfoRequest = codec<{ digest: string }>("session.InfoRequest");
export const contentInfoResponse = codec<{ info: { digest: string; size: number } }>("session.InfoResponse");
export const readContentRequest = codec<{ digest: string; offset: number; size: number }>("session.ReadContentRequest");
export const readContentResponse = codec<{ offset: number; data: Uint8Array }>("session.ReadContentResponse");
export interface WriteContentRequest {
  action: number;
  ref: string;
  total: number;
  expected: string;
  offset: number;
  data: Uint8Array;
}
export const writeContentRequest = codec<WriteContentRequest>("session.WriteContentRequest");
export const writeContentResponse = codec<
  Pick<WriteContentRequest, "action" | "offset" | "total"> & { digest: string }
>("session.WriteContentResponse");

/** An empty message. */
export const nothing = new Uint8Array(0);
