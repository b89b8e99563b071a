/**
 * The containers of the engine as the API sees them: finds the container that a request names and hands it to the part that
 * knows how. Satisfies `ContainerBackend` of the server by shape.
 */
import type { Duplex } from "node:stream";
import type * as C from "../../api/containers.ts";
import type { ContainerStats } from "../../api/stats.ts";
import type { Filters } from "../../api/system.ts";
import { EngineError, invalidArgument, withPrefix } from "../../base/errors.ts";
import type { Bytes } from "../../base/streams.ts";
import { type AttachStreams, type LogPosition, splice, spliceAtStart } from "./attach/attach.ts";
import { defaultDetachKeys } from "./attach/detach-scanner.ts";
import type { CommitRequest, Committer } from "./commit.ts";
import type { Container } from "./container.ts";
import type { ContainerEvents } from "./container-events.ts";
import type { ContainerStore } from "./container-store.ts";
import type { ContainerControl, StopOptions } from "./control.ts";
import type { CopyPoint } from "./copy.ts";
import type { CreateOptions } from "./create.ts";
import type { Lifecycle } from "./lifecycle/lifecycle.ts";
import { readLogs } from "./logs/logs.ts";
import { validateName } from "./names.ts";
import type { ContainerPaths } from "./paths.ts";
import { pruneContainers } from "./prune.ts";
import type { Remover } from "./remove.ts";
import { isPaused, isRestarting, notRunning } from "./states.ts";
import type { Updater } from "./update.ts";
import { selectContainers } from "./views/list.ts";
import { type Sampler, streamStats } from "./views/stats.ts";
import { topOf } from "./views/top.ts";
import type { ContainerViews } from "./views/views.ts";

export interface ContainersDependencies {
  store: ContainerStore;
  paths: ContainerPaths;
  lifecycle: Lifecycle;
  control: ContainerControl;
  remover: Remover;
  events: ContainerEvents;
  views: ContainerViews;
  copy: CopyPoint;
  committer: Committer;
  updater: Updater;
  sampler: Sampler;
  create(request: C.ContainerCreateRequest, options: CreateOptions): Promise<C.ContainerCreateResponse>;
  pids(container: Container): number[];
  changes(id: string): Promise<C.FilesystemChange[]>;
  /** Image ids that are this image or built on it. */
  descendants(image: string): Set<string>;
  /** Tells those who show the name. */
  renamed(container: Container): void;
}

export interface AttachRequest extends AttachStreams {
  logs: boolean;
  stream: boolean;
  detachKeys?: Uint8Array | undefined;
}

export interface LogsRequest {
  stdout: boolean;
  stderr: boolean;
  follow: boolean;
  timestamps: boolean;
  details: boolean;
  since?: bigint | undefined;
  until?: bigint | undefined;
  tail?: number | undefined;
  signal: AbortSignal;
}

export class Containers {
  private readonly deps: ContainersDependencies;

  constructor(deps: ContainersDependencies) {
    this.deps = deps;
  }

  async create(request: C.ContainerCreateRequest, options: CreateOptions) {
    return this.deps.create(request, options);
  }

  async list(options: {
    all: boolean;
    limit?: number | undefined;
    size: boolean;
    filters: Filters;
  }): Promise<C.ContainerSummary[]> {
    const { store, views } = this.deps;
    const context = { find: (name: string) => store.find(name), descendants: this.deps.descendants };
    const selected = selectContainers(store.list(), options, context);
    return Promise.all(selected.map((container) => views.summary(container, options.size)));
  }

  async inspect(id: string, { size }: { size: boolean }): Promise<C.ContainerInspect> {
    return this.deps.views.inspect(this.get(id), size);
  }

  async start(id: string): Promise<void> {
    await this.deps.lifecycle.start(this.get(id));
  }

  async stop(id: string, options: StopOptions): Promise<void> {
    const container = this.get(id);
    await naming(`cannot stop container: ${id}: `, () => this.deps.control.stop(container, options));
  }

  async restart(id: string, options: StopOptions): Promise<void> {
    const container = this.get(id);
    await naming(`Cannot restart container ${id}: `, () => this.deps.control.restart(container, options));
  }

  async kill(id: string, signal?: string): Promise<void> {
    await naming(`cannot kill container: ${id}: `, async () =>
      this.deps.control.kill(this.get(id), signal || "SIGKILL"),
    );
  }

  async pause(id: string): Promise<void> {
    await this.deps.control.pause(this.get(id));
  }

  async unpause(id: string): Promise<void> {
    await this.deps.control.unpause(this.get(id));
  }

  async resize(id: string, size: { height: number; width: number }): Promise<void> {
    await this.deps.control.resize(this.get(id), size);
  }

  async rename(id: string, name: string): Promise<void> {
    const container = this.get(id);
    if (name === "") throw invalidArgument("Neither old nor new names may be empty");
    const allocating = "Error when allocating new name: ";
    const bare = await naming(allocating, async () => validateName(name.startsWith("/") ? name : `/${name}`));
    const oldName = `/${container.record.name}`;
    if (oldName === `/${bare}`) {
      throw invalidArgument("Renaming a container with the same name as its current name");
    }
    await naming(allocating, async () => this.deps.store.rename(container, bare));
    this.deps.renamed(container);
    this.deps.events.publish(container, "rename", { oldName });
  }

  async update(id: string, request: C.ContainerUpdateRequest): Promise<{ Warnings: string[] }> {
    return this.deps.updater.update(this.get(id), request);
  }

  async remove(id: string, options: { force: boolean; volumes: boolean; link: boolean }): Promise<void> {
    const container = this.get(id);
    if (options.link) return this.deps.store.unlink(id);
    await this.deps.remover.remove(container, { ...options, reference: id });
  }

  async wait(id: string, condition: "not-running" | "next-exit" | "removed", signal: AbortSignal) {
    const container = this.get(id);
    return { result: this.resultOf(container, condition, signal) };
  }

  async top(id: string, psArgs: string): Promise<C.ContainerTop> {
    const container = this.get(id);
    if (!container.isRunning) throw notRunning(container);
    return topOf(this.deps.pids(container), psArgs);
  }

  async logs(id: string, request: LogsRequest): Promise<{ multiplexed: boolean; body: Bytes }> {
    const container = this.get(id);
    const { record } = container;
    if (record.hostConfig.LogConfig?.Type === "none") {
      throw invalidArgument("configured logging driver does not support reading");
    }
    const multiplexed = record.config.Tty !== true;
    const followUntil = request.follow && container.isRunning ? container.nextExit(request.signal) : undefined;
    return { multiplexed, body: readLogs(this.deps.paths.log(record.id), { ...request, followUntil, multiplexed }) };
  }

  async stats(
    id: string,
    options: { stream: boolean; oneShot: boolean; signal: AbortSignal },
  ): Promise<AsyncIterable<ContainerStats>> {
    return streamStats(this.get(id), this.deps.sampler, options);
  }

  async attach(id: string, request: AttachRequest) {
    const container = this.get(id);
    if (container.isPaused) throw isPaused(container);
    if (container.isRestarting) throw isRestarting(container);
    return {
      multiplexed: container.record.config.Tty !== true,
      serve: (client: Duplex) => this.serveAttach(container, request, client),
    };
  }

  changes(id: string): Promise<C.FilesystemChange[]> {
    return this.deps.changes(this.get(id).id);
  }

  export(id: string, signal: AbortSignal): Promise<Bytes> {
    return this.deps.copy.export(this.get(id), signal);
  }

  statPath(id: string, path: string): Promise<C.ContainerPathStat> {
    return this.deps.copy.stat(this.get(id), id, path);
  }

  getArchive(id: string, path: string, signal: AbortSignal): Promise<{ stat: C.ContainerPathStat; body: Bytes }> {
    return this.deps.copy.get(this.get(id), id, path, signal);
  }

  putArchive(
    id: string,
    path: string,
    archive: Bytes,
    options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean; signal: AbortSignal },
  ): Promise<void> {
    return this.deps.copy.put(this.get(id), id, path, archive, options);
  }

  prune(filters: Filters): Promise<C.PruneContainersResponse> {
    return pruneContainers(this.deps, filters);
  }

  commit(id: string, request: CommitRequest): Promise<string> {
    return this.deps.committer.commit(this.get(id), request);
  }

  private get(id: string): Container {
    return this.deps.store.get(id);
  }

  private async resultOf(
    container: Container,
    condition: "not-running" | "next-exit" | "removed",
    signal: AbortSignal,
  ): Promise<C.WaitResponse> {
    if (condition === "removed") return container.removal(signal);
    if (condition === "next-exit") return container.nextExit(signal);
    if (container.isRunning) return container.nextExit(signal);
    return { StatusCode: container.record.state.exitCode };
  }

  private async serveAttach(container: Container, request: AttachRequest, client: Duplex): Promise<void> {
    const { record, shim } = container;
    const tty = record.config.Tty === true;
    const keys = request.detachKeys ?? defaultDetachKeys;
    const streams = {
      stdin: request.stdin && record.config.OpenStdin === true,
      stdout: request.stdout,
      stderr: request.stderr,
    };
    const onDetach = () => this.deps.events.publish(container, "detach");
    const replay = request.logs
      ? (position: LogPosition) => this.replayLog(container, request, client, position)
      : undefined;
    const options = { streams, onDetach, replay, detachKeys: tty && streams.stdin ? keys : undefined };
    this.deps.events.publish(container, "attach");
    if (!request.stream) {
      await this.replayLog(container, request, client, undefined);
      return;
    }
    if (shim) await splice(shim, client, options);
    else await spliceAtStart(client, options, container.pendingAttaches);
  }

  /** The log up to where live output begins. */
  private async replayLog(
    container: Container,
    request: AttachRequest,
    client: Duplex,
    until: LogPosition | undefined,
  ): Promise<void> {
    const { record } = container;
    if (record.hostConfig.LogConfig?.Type === "none") return;
    const body = readLogs(this.deps.paths.log(record.id), {
      ...request,
      timestamps: false,
      details: false,
      multiplexed: record.config.Tty !== true,
      signal: new AbortController().signal,
      ...(until ? { end: until } : {}),
    });
    for await (const chunk of body) {
      if (!client.write(chunk)) await new Promise((resolve) => client.once("drain", resolve).once("close", resolve));
    }
  }
}

/** Docker says what could not be done before why. `not-modified` carries no words. */
async function naming<T>(prefix: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof EngineError) || error.kind === "not-modified") throw error;
    throw withPrefix(prefix, error);
  }
}
