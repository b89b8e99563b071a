/**
 * `docker exec`: further processes in a running container, each with a shim of its own. Execs live in memory only: they end with
 * their container, and after a restart of the daemon nobody holds their ids.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { ExecCreateRequest, ExecInspect, ExecStartRequest } from "../../api/containers.ts";
import { parseDetachKeys } from "../../api/detach-keys.ts";
import { frame } from "../../api/stdcopy.ts";
import { conflict, errorMessage, invalidArgument, notFound } from "../../base/errors.ts";
import { formatGoDuration } from "../../base/go-duration.ts";
import { goJson } from "../../base/go-json.ts";
import { newId } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import { expectMove } from "../../linux/cgroups/cgroup-moves.ts";
import type { CgroupLayout } from "../../linux/cgroups/cgroups.ts";
import type { HostFacts } from "../../linux/host-facts.ts";
import type { SpecProcess } from "../../oci/runtime-spec.ts";
import { environmentOf, execArgv, type OciRuntimes } from "../../runtime/oci-runtime.ts";
import { RuntimeStartError, type Shim } from "../../runtime/shim.ts";
import type { ShimPool } from "../../runtime/shim-pool.ts";
import { containerEnv } from "../../runtime/spec/env.ts";
import type { DaemonDefaults } from "../../runtime/spec/input.ts";
import { buildExecProcess } from "../../runtime/spec/process.ts";
import { type ResolvedUser, resolveUser } from "../../runtime/spec/security/user.ts";
import { type AttachStreams, splice } from "../containers/attach/attach.ts";
import { defaultDetachKeys } from "../containers/attach/detach-scanner.ts";
import type { Container } from "../containers/container.ts";
import type { ContainerEvents } from "../containers/container-events.ts";
import type { ContainerRecord } from "../containers/container-record.ts";
import type { ContainerStore } from "../containers/container-store.ts";
import { stdinMode } from "../containers/lifecycle/launch.ts";
import { linkEnvironment, resolveLinks } from "../containers/lifecycle/links.ts";
import { StartError, translateExecError } from "../containers/lifecycle/start-error.ts";
import type { ContainerPaths } from "../containers/paths.ts";
import { reframe } from "./reframe.ts";

interface Exec {
  id: string;
  container: Container;
  request: ExecCreateRequest;
  user: ResolvedUser;
  state: "created" | "running" | "exited";
  pid: number;
  exitCode: number | null;
  shim: Shim | undefined;
}

export interface ExecDependencies {
  defaults: Pick<DaemonDefaults, "ulimits" | "noNewPrivileges">;
  store: ContainerStore;
  events: ContainerEvents;
  paths: ContainerPaths;
  runtimes: OciRuntimes;
  shims: Pick<ShimPool, "spawn">;
  host: HostFacts;
  cgroups: CgroupLayout;
  log: Logger;
}

interface Started {
  shim: Shim;
  /** Resolves when the clients' output has ended. */
  served: Promise<void>;
}

/** Ended execs can be inspected until their container is removed, but not without bound. */
const keptExecs = 10_000;

export class Execs {
  private readonly execs = new Map<string, Exec>();
  private readonly deps: ExecDependencies;

  constructor(deps: ExecDependencies) {
    this.deps = deps;
  }

  async create(containerId: string, request: ExecCreateRequest): Promise<{ Id: string }> {
    const container = this.deps.store.get(containerId);
    this.requireRunning(container, containerId);
    if (!request.Cmd?.length) throw invalidArgument("No exec command specified");
    expectMove(this.deps.cgroups);
    const id = newId();
    const user = userOf(container, request); // An unknown one is refused here, as dockerd does.
    const exec: Exec = { id, container, request, user, state: "created", pid: 0, exitCode: null, shim: undefined };
    this.forgetOldest();
    this.execs.set(id, exec);
    container.execIds.add(id);
    this.deps.events.publish(container, withCommand("exec_create", request.Cmd), { execID: id });
    return { Id: id };
  }

  async startDetached(execId: string, request: ExecStartRequest): Promise<void> {
    const exec = this.get(execId);
    this.requireStartable(exec);
    await this.launch(exec, request, undefined);
  }

  async start(execId: string, request: ExecStartRequest) {
    const exec = this.get(execId);
    this.requireStartable(exec);
    const framed = exec.request.Tty !== true;
    const multiplexed = request.Tty !== true;
    return {
      multiplexed,
      serve: (client: Duplex) => this.serve(exec, request, framed === multiplexed ? client : reframe(client, framed)),
    };
  }

  async inspect(execId: string): Promise<ExecInspect> {
    const { id, container, request, state, pid, exitCode } = this.get(execId);
    if (container.isRemoved) throw execNotFound(execId);
    const [entrypoint = "", ...args] = request.Cmd ?? [];
    const user = request.User || container.record.config.User;
    return {
      ID: id,
      Running: state === "running",
      ExitCode: exitCode,
      ProcessConfig: {
        tty: request.Tty === true,
        entrypoint,
        arguments: args,
        privileged: request.Privileged === true,
        ...(user ? { user } : {}),
      },
      OpenStdin: request.AttachStdin === true,
      OpenStderr: request.AttachStderr === true,
      OpenStdout: request.AttachStdout === true,
      CanRemove: false,
      ContainerID: container.id,
      DetachKeys: request.DetachKeys ?? "",
      Pid: pid,
    };
  }

  async resize(execId: string, { height, width }: { height: number; width: number }): Promise<void> {
    const { shim, state, request } = this.get(execId);
    if (!shim || state !== "running") throw conflict(`exec ${execId} is not running`);
    if (request.Tty) await shim.resize(height, width);
  }

  /** Runs a command to its end, as health checks do. After `timeout` milliseconds it is killed; its exit code is then -1. */
  async probe(container: Container, command: string[], timeout: number): Promise<{ exitCode: number; output: string }> {
    const { Id } = await this.create(container.id, {
      Cmd: command,
      AttachStdout: true,
      AttachStderr: true,
      Tty: false,
    });
    const exec = this.get(Id);
    const { shim, served } = await this.launch(exec, {}, undefined, {
      stdin: false,
      stdout: true,
      stderr: true,
    });
    const output = new OutputCollector();
    const collected = output.collect(shim);
    let expired = false;
    const timer = setTimeout(() => {
      expired = true;
      shim.signal(9).catch(() => undefined);
    }, timeout);
    const { exitCode } = await shim.exited;
    clearTimeout(timer);
    await Promise.race([Promise.all([collected, served]), Bun.sleep(1000)]);
    this.execs.delete(Id);
    container.execIds.delete(Id);
    if (expired) {
      const said = output.text === "" ? "" : `: ${output.text}`;
      return { exitCode: -1, output: `Health check exceeded timeout (${formatGoDuration(timeout * 1e6)})${said}` };
    }
    return { exitCode, output: output.text };
  }

  /** Forgets the execs of a container that has ended or is gone; those that ended before it are still told of. */
  forget(container: Container): void {
    for (const id of container.execIds) this.execs.delete(id);
    container.execIds.clear();
  }

  /** What keeps a process from starting is told in its output, as the header is sent by then. */
  private async serve(exec: Exec, request: ExecStartRequest, client: Duplex): Promise<void> {
    try {
      const { served } = await this.launch(exec, request, client);
      await served;
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      const text = Buffer.from(`${error.message}\r\n`);
      await new Promise<void>((resolve) => client.end(exec.request.Tty ? text : frame("stdout", text), resolve));
    }
  }

  private get(execId: string): Exec {
    const exec = this.execs.get(execId);
    if (!exec) throw execNotFound(execId);
    return exec;
  }

  private requireStartable(exec: Exec): void {
    if (exec.state === "exited") throw conflict(`exec command ${exec.id} has already run`);
    if (exec.state === "running") throw conflict(`exec command ${exec.id} is already running`);
    this.requireRunning(exec.container);
  }

  /** `name`: as the client gave it. */
  private requireRunning(container: Container, name = container.id): void {
    if (container.isRestarting)
      throw conflict(`Container ${container.id} is restarting, wait until the container is running`);
    if (container.isPaused) throw conflict(`Container ${name} is paused, unpause the container before exec`);
    if (!container.isRunning) throw conflict(`container ${container.id} is not running`);
  }

  /** Starts the process with the client (if any) attached from its first byte on. */
  private async launch(
    exec: Exec,
    start: ExecStartRequest,
    client: Duplex | undefined,
    collect?: AttachStreams,
  ): Promise<Started> {
    const { container, request } = exec;
    exec.state = "running";
    const shim = this.spawn(exec, start, client !== undefined || collect !== undefined ? 1 : 0);
    const streams = {
      stdin: request.AttachStdin === true,
      stdout: request.AttachStdout === true,
      stderr: request.AttachStderr === true,
    };
    let served = Promise.resolve();
    if (client) {
      const keys = request.DetachKeys ? parseDetachKeys(request.DetachKeys) : defaultDetachKeys;
      const onDetach = () => this.deps.events.publish(container, "exec_detach", { execID: exec.id });
      const started = shim.started;
      served = splice(shim, client, {
        streams,
        started,
        onDetach,
        detachKeys: streams.stdin && request.Tty ? keys : undefined,
      });
      served.catch(() => undefined);
    }
    try {
      exec.pid = await shim.started;
    } catch (error) {
      const failure =
        error instanceof RuntimeStartError ? translateExecError(error.message, request.Cmd?.[0] ?? "", error) : error;
      this.startFailed(exec, shim, failure instanceof StartError ? failure.exitCode : 126);
      throw failure;
    }
    this.deps.events.publish(container, withCommand("exec_start", request.Cmd ?? []), { execID: exec.id });
    shim.exited.then(
      ({ exitCode }) => this.ended(exec, shim, exitCode),
      () => this.ended(exec, shim, 137),
    );
    return { shim, served };
  }

  private spawn(exec: Exec, start: ExecStartRequest, waitAttach: number): Shim {
    const { container, request } = exec;
    const { paths, runtimes, shims, host, cgroups } = this.deps;
    const directory = paths.exec(container.id, exec.id);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const processFile = join(directory, "process.json");
    writeFileSync(processFile, goJson(this.process(exec, start)), { mode: 0o600 });
    const runtime = runtimes.get(container.record.hostConfig.Runtime);
    const [rows, cols] = start.ConsoleSize ?? request.ConsoleSize ?? [0, 0];
    const unified = host.cgroupMode === "hybrid" ? cgroups.cgroupUnified : undefined;
    exec.shim = shims.spawn({
      directory,
      runtimeArgv: execArgv(runtime, paths.runtimeState(), processFile, container.id),
      terminal: request.Tty === true,
      ...(rows > 0 && cols > 0 ? { rows, cols } : {}),
      stdin: stdinMode(request.AttachStdin === true, true, request.Tty === true),
      waitAttach,
      ...(unified === undefined ? {} : { hideCgroup2: unified }),
      cwd: directory,
      env: environmentOf(runtime),
    });
    return exec.shim;
  }

  private process({ container, request, user }: Exec, start: ExecStartRequest): SpecProcess {
    const { record } = container;
    return buildExecProcess(
      {
        config: record.config,
        hostConfig: record.hostConfig,
        host: this.deps.host,
        defaultUlimits: this.deps.defaults.ulimits,
        defaultNoNewPrivileges: this.deps.defaults.noNewPrivileges,
      },
      {
        args: request.Cmd ?? [],
        env: containerEnv({
          env: [record.config.Env, request.Env],
          linkEnv: this.linkVariables(record),
          hostname: record.config.Hostname ?? "",
          tty: request.Tty === true,
          home: user.home,
        }),
        user,
        ...(request.WorkingDir ? { cwd: request.WorkingDir } : {}),
        tty: request.Tty === true,
        consoleSize: start.ConsoleSize ?? request.ConsoleSize ?? null,
        privileged: request.Privileged === true,
      },
    );
  }

  /** As for the container's first process, but of linked containers that run now: dockerd refuses the exec when one does not. */
  private linkVariables(record: ContainerRecord): string[] {
    if (!("bridge" in record.networkSettings.Networks)) return [];
    const findRunning = (id: string) => {
      const container = this.deps.store.find(id);
      return container?.isRunning ? container : undefined;
    };
    return linkEnvironment(record.name, resolveLinks(record, findRunning));
  }

  private startFailed(exec: Exec, shim: Shim, exitCode: number): void {
    exec.state = "exited";
    exec.exitCode = exitCode;
    exec.container.execIds.delete(exec.id);
    this.release(exec, shim);
  }

  private ended(exec: Exec, shim: Shim, exitCode: number): void {
    Object.assign(exec, { state: "exited", exitCode });
    exec.container.execIds.delete(exec.id);
    this.release(exec, shim);
    this.deps.events.publish(exec.container, "exec_die", { execID: exec.id, exitCode: String(exitCode) });
  }

  private release(exec: Exec, shim: Shim): void {
    shim.close();
    exec.shim = undefined;
    rmSync(this.deps.paths.exec(exec.container.id, exec.id), { recursive: true, force: true });
  }

  private forgetOldest(): void {
    if (this.execs.size < keptExecs) return;
    for (const [id, { state }] of this.execs) {
      if (state === "exited") return void this.execs.delete(id);
    }
  }
}

function execNotFound(execId: string): Error {
  return notFound(`No such exec instance: ${execId}`);
}

/** dockerd puts a space after the program even when no argument follows. */
function withCommand(action: string, [program, ...args]: string[]): string {
  return `${action}: ${program} ${args.join(" ")}`;
}

/** As the container's own files have it. Throws `invalid-argument` for a user of the request's that they do not know. */
function userOf({ record }: Container, request: ExecCreateRequest): ResolvedUser {
  const root = `/proc/${record.state.pid}/root`;
  try {
    return resolveUser(root, request.User || record.config.User || "", record.hostConfig.GroupAdd ?? []);
  } catch (cause) {
    throw request.User ? invalidArgument(errorMessage(cause), { cause }) : cause;
  }
}

/** Keeps the beginning of what a probe prints, streams mixed, without its framing. */
class OutputCollector {
  text = "";
  private static readonly limit = 4096;

  async collect(shim: Shim): Promise<void> {
    const { socket } = await shim.attach({ stdin: false, stdout: true, stderr: true });
    let rest = Buffer.alloc(0);
    for await (const chunk of socket) {
      rest = Buffer.concat([rest, chunk as Buffer]);
      while (rest.length >= 8 && rest.length >= 8 + rest.readUInt32BE(4)) {
        const end = 8 + rest.readUInt32BE(4);
        if (this.text.length < OutputCollector.limit) this.text += rest.toString("utf8", 8, end);
        rest = rest.subarray(end);
      }
    }
  }
}
