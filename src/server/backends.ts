/**
 * What the HTTP server needs of the engine, one small interface per noun. The engine's classes satisfy these by shape; `daemon.ts`
 * is where the compiler checks it. All methods reject with EngineError; ids are names, full ids or unique id prefixes.
 */
import type { Duplex } from "node:stream";
import type { ContainerConfig } from "../api/container-config.ts";
import type * as C from "../api/containers.ts";
import type * as I from "../api/images.ts";
import type * as N from "../api/networks.ts";
import type { ContainerStats } from "../api/stats.ts";
import type * as S from "../api/system.ts";
import type * as V from "../api/volumes.ts";
import type { Bytes } from "../base/streams.ts";
import type { BuildRequest } from "../builder/build-request.ts";
import type { ApiBuildRequest } from "../buildkit/api-build.ts";

/** A hijackable stream of a container or exec: made (and refused) before the response's header is sent, served after it. */
export interface AttachSession {
  /** True when output is framed as stdcopy (no terminal). */
  readonly multiplexed: boolean;
  /** Splices the client (half-open allowed) until the stream ends; resolves then. The caller destroys the client. */
  serve(client: Duplex): Promise<void>;
}

export interface AttachOptions {
  logs: boolean;
  stream: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** Bytes that detach, parsed by the server; undefined: the default ctrl-p ctrl-q. */
  detachKeys?: Uint8Array | undefined;
}

export interface LogsOptions {
  stdout: boolean;
  stderr: boolean;
  follow: boolean;
  timestamps: boolean;
  details: boolean;
  /** Nanoseconds since 1970. */
  since?: bigint | undefined;
  until?: bigint | undefined;
  /** Lines from the end; undefined: all. */
  tail?: number | undefined;
  signal: AbortSignal;
}

export interface ContainerListOptions {
  all: boolean;
  limit?: number | undefined;
  size: boolean;
  filters: S.Filters;
}

export type WaitCondition = "not-running" | "next-exit" | "removed";

export interface ContainerBackend {
  create(
    request: C.ContainerCreateRequest,
    options: { name?: string | undefined; platform?: string | undefined; readOnlyNonRecursive?: boolean | undefined },
  ): Promise<C.ContainerCreateResponse>;
  list(options: ContainerListOptions): Promise<C.ContainerSummary[]>;
  inspect(id: string, options: { size: boolean }): Promise<C.ContainerInspect>;
  start(id: string): Promise<void>;
  /** `timeout` in seconds, -1: wait for ever; undefined: the container's own. Rejects `not-modified` when it is not running. */
  stop(id: string, options: { signal?: string | undefined; timeout?: number | undefined }): Promise<void>;
  restart(id: string, options: { signal?: string | undefined; timeout?: number | undefined }): Promise<void>;
  kill(id: string, signal?: string): Promise<void>;
  pause(id: string): Promise<void>;
  unpause(id: string): Promise<void>;
  rename(id: string, name: string): Promise<void>;
  update(id: string, request: C.ContainerUpdateRequest): Promise<{ Warnings: string[] }>;
  remove(id: string, options: { force: boolean; volumes: boolean; link: boolean }): Promise<void>;
  /** Resolves once the wait is registered (so that the header can be sent); `result` resolves at the condition. */
  wait(id: string, condition: WaitCondition, signal: AbortSignal): Promise<{ result: Promise<C.WaitResponse> }>;
  top(id: string, psArgs: string): Promise<C.ContainerTop>;
  /** Framed as stdcopy unless the container has a terminal. Resolves before the first byte so that errors can be statuses. */
  logs(id: string, options: LogsOptions): Promise<{ multiplexed: boolean; body: Bytes }>;
  stats(
    id: string,
    options: { stream: boolean; oneShot: boolean; signal: AbortSignal },
  ): Promise<AsyncIterable<ContainerStats>>;
  attach(id: string, options: AttachOptions): Promise<AttachSession>;
  resize(id: string, size: { height: number; width: number }): Promise<void>;
  changes(id: string): Promise<C.FilesystemChange[]>;
  export(id: string, signal: AbortSignal): Promise<Bytes>;
  statPath(id: string, path: string): Promise<C.ContainerPathStat>;
  getArchive(id: string, path: string, signal: AbortSignal): Promise<{ stat: C.ContainerPathStat; body: Bytes }>;
  putArchive(
    id: string,
    path: string,
    archive: Bytes,
    options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean; signal: AbortSignal },
  ): Promise<void>;
  prune(filters: S.Filters): Promise<C.PruneContainersResponse>;
  /** `POST /commit`; returns the new image's id. */
  commit(id: string, options: CommitOptions): Promise<string>;
}

export interface CommitOptions {
  repo?: string | undefined;
  tag?: string | undefined;
  comment: string;
  author: string;
  pause: boolean;
  /** Dockerfile instructions of `-c`. */
  changes: string[];
  config?: ContainerConfig | undefined;
}

export interface ExecBackend {
  create(containerId: string, request: C.ExecCreateRequest): Promise<{ Id: string }>;
  /** Detached: resolves when the process runs. */
  startDetached(execId: string, request: C.ExecStartRequest): Promise<void>;
  start(execId: string, request: C.ExecStartRequest): Promise<AttachSession>;
  inspect(execId: string): Promise<C.ExecInspect>;
  resize(execId: string, size: { height: number; width: number }): Promise<void>;
}

export type Progress = (message: S.ProgressMessage) => void;

export interface ImageBackend {
  list(options: {
    all: boolean;
    digests: boolean;
    sharedSize: boolean;
    manifests: boolean;
    filters: S.Filters;
  }): Promise<I.ImageSummary[]>;
  inspect(name: string, options: { platform?: string | undefined; manifests: boolean }): Promise<I.ImageInspect>;
  history(name: string, options: { platform?: string | undefined }): Promise<I.ImageHistoryItem[]>;
  tag(name: string, repo: string, tag: string): Promise<void>;
  remove(
    name: string,
    options: { force: boolean; noPrune: boolean; platforms: string[] },
  ): Promise<I.ImageDeleteItem[]>;
  prune(filters: S.Filters): Promise<I.PruneImagesResponse>;
  /** `POST /images/load`; an EngineError after progress has begun becomes the stream's last message. */
  load(
    archive: Bytes,
    options: { quiet: boolean; platform?: string | undefined; progress: Progress; signal: AbortSignal },
  ): Promise<void>;
  /** `POST /images/create?fromImage=`; an error before the first progress is a status. */
  pull(
    name: string,
    options: {
      tag?: string | undefined;
      platform?: string | undefined;
      credentials: RegistryCredentials;
      progress: Progress;
      signal: AbortSignal;
    },
  ): Promise<void>;
  push(
    name: string,
    options: {
      tag?: string | undefined;
      platform?: string | undefined;
      credentials: RegistryCredentials;
      progress: Progress;
      signal: AbortSignal;
    },
  ): Promise<void>;
  save(names: string[], options: { platform?: string | undefined; signal: AbortSignal }): Promise<Bytes>;
  /** `POST /images/create?fromSrc=`; `source` is `-` with a body, or a URL. Reports the new image's id as progress. */
  import(
    source: string,
    body: Bytes,
    options: {
      repo?: string | undefined;
      tag?: string | undefined;
      message: string;
      changes: string[];
      platform?: string | undefined;
      progress: Progress;
      signal: AbortSignal;
    },
  ): Promise<void>;
}

/** As in `X-Registry-Auth` and the body of `POST /auth`. */
export interface RegistryCredentials {
  username?: string | undefined;
  password?: string | undefined;
  identityToken?: string | undefined;
  registryToken?: string | undefined;
}

export interface BuildBackend {
  /** Resolves with the image's id. An error before the first message is a status. */
  build(request: BuildRequest, progress: Progress): Promise<string>;
  /** `keepStorage`: bytes that may stay. */
  prune(request: {
    all: boolean;
    keepStorage: number;
    filters: S.Filters;
  }): Promise<{ CachesDeleted: string[] | null; SpaceReclaimed: number }>;
}

/** BuildKit's two connections; each resolves when its connection ends. */
export interface BuildkitBackend {
  serveGrpc(connection: Duplex): Promise<void>;
  serveSession(headers: ReadonlyMap<string, string>, connection: Duplex): Promise<void>;
  /** `POST /build?version=2` */
  builds: {
    /** The body is the context of another request's build; resolves when that has read it. */
    upload(buildId: string, body: Bytes, signal: AbortSignal): Promise<void>;
    build(request: ApiBuildRequest, progress: Progress): Promise<void>;
  };
}

export interface RegistryBackend {
  login(
    address: string,
    credentials: RegistryCredentials,
    signal: AbortSignal,
  ): Promise<{ status: string; token: string }>;
  /** `GET /distribution/{name}/json` */
  inspect(name: string, credentials: RegistryCredentials, signal: AbortSignal): Promise<unknown>;
  search(
    term: string,
    limit: number | undefined,
    credentials: RegistryCredentials,
    signal: AbortSignal,
  ): Promise<I.SearchResult[]>;
}

export interface VolumeBackend {
  list(filters: S.Filters): Promise<V.VolumeListResponse>;
  create(request: V.VolumeCreateRequest): Promise<V.Volume>;
  inspect(name: string): Promise<V.Volume>;
  remove(name: string, options: { force: boolean }): Promise<void>;
  prune(filters: S.Filters): Promise<V.PruneVolumesResponse>;
}

/** Where data is put: `replace` takes away what is there. */
export interface VolumePlacing {
  replace: boolean;
  labels?: Record<string, string> | null;
}

export interface VolumeTransfer {
  credentials: RegistryCredentials;
  progress: (message: S.ProgressMessage) => void;
  signal: AbortSignal;
}

/** Gantry's own: volumes as wholes. Until the last moment of a change, the volume is as it was. */
export interface VolumeCopiesBackend {
  snapshots: {
    create(volume: string, request: V.VolumeSnapshotRequest, signal: AbortSignal): Promise<V.VolumeSnapshot>;
    list(filters: S.Filters): Promise<V.VolumeSnapshot[]>;
    inspect(name: string): Promise<V.VolumeSnapshot>;
    remove(name: string): Promise<void>;
    restore(name: string, volume: string | undefined, place: VolumePlacing, signal: AbortSignal): Promise<V.Volume>;
    clone(volume: string, name: string, labels: VolumePlacing["labels"], signal: AbortSignal): Promise<V.Volume>;
  };
  archives: {
    export(volume: string, signal: AbortSignal): Promise<Bytes>;
    import(volume: string, archive: Bytes, place: VolumePlacing, signal: AbortSignal): Promise<V.Volume>;
  };
  artifacts: {
    push(volume: string, reference: string, options: VolumeTransfer): Promise<string>;
    pull(volume: string, reference: string, place: VolumePlacing, options: VolumeTransfer): Promise<V.Volume>;
  };
  backups: {
    create(request: V.VolumeBackupRequest): Promise<V.VolumeBackup>;
    list(): Promise<V.VolumeBackup[]>;
    inspect(name: string): Promise<V.VolumeBackup>;
    remove(name: string): Promise<void>;
    run(name: string): Promise<V.VolumeBackup>;
  };
}

export interface NetworkBackend {
  list(filters: S.Filters): Promise<N.NetworkInspect[]>;
  inspect(id: string, options: { scope?: string | undefined; verbose: boolean }): Promise<N.NetworkInspect>;
  create(request: N.NetworkCreateRequest): Promise<{ Id: string; Warning: string }>;
  connect(id: string, container: string, endpoint: N.EndpointSettings | undefined): Promise<void>;
  disconnect(id: string, container: string, force: boolean): Promise<void>;
  remove(id: string): Promise<void>;
  prune(filters: S.Filters): Promise<{ NetworksDeleted: string[] | null }>;
}

export interface SystemBackend {
  ping(): { experimental: boolean; builderVersion: "1" | "2" };
  version(): S.SystemVersion;
  info(): Promise<S.SystemInfo>;
  diskUsage(types: string[]): Promise<S.DiskUsage>;
  /** Past events since `since`, then live ones until `until` or abort. Nanoseconds since 1970. */
  events(options: {
    since?: bigint | undefined;
    until?: bigint | undefined;
    filters: S.Filters;
    signal: AbortSignal;
  }): AsyncIterable<S.EventMessage>;
  /** Prometheus text. */
  metrics(): Promise<string>;
}

export interface Backends {
  builder: BuildBackend;
  buildkit: BuildkitBackend;
  containers: ContainerBackend;
  execs: ExecBackend;
  images: ImageBackend;
  registries: RegistryBackend;
  volumes: VolumeBackend;
  volumeCopies: VolumeCopiesBackend;
  networks: NetworkBackend;
  system: SystemBackend;
}
