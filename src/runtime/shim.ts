/**
 * The daemon's end of a shim (shim/PROTOCOL.md): starts one, or finds one again after a restart of the daemon, and tells
 * when its process is started and how it ended. The shim outlives this object and the daemon.
 */
import { closeSync, constants, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { conflict, errorCode, internal, notFound } from "../base/errors.ts";
import { lines } from "../base/streams.ts";
import { passDescriptor, type TakenSocket } from "../linux/pass-descriptor.ts";
import { runtimeEnvironment } from "./oci-runtime.ts";
import {
  type ExitRecord,
  encodeStart,
  type LogPosition,
  parseExitRecord,
  parseLogPosition,
  parseReport,
  parseStartError,
  type ShimReport,
  type ShimStart,
  socketPathLimit,
} from "./shim-protocol.ts";

export type { ExitRecord, LogPosition, ShimLog, ShimStart } from "./shim-protocol.ts";

/** The runtime could not start the process; `message` is what the runtime said. */
export class RuntimeStartError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.name = "RuntimeStartError";
    this.exitCode = exitCode;
  }
}

/** The shim ended without an exit record: it was killed. What its process did is unknown; treat it as lost. */
export class ShimLost extends Error {
  constructor(directory: string) {
    super(`shim of ${directory} ended without an exit record`);
    this.name = "ShimLost";
  }
}

/** A shim process that has not been told yet what to do. It ends by itself when the daemon does. */
export type IdleShim = Bun.Subprocess<"pipe", "pipe", "ignore">;

export function spawnIdle(shimPath: string, program?: number): IdleShim {
  return Bun.spawn([shimPath], {
    stdio: ["pipe", "pipe", "ignore", ...(program === undefined ? [] : [program])],
    env: runtimeEnvironment,
  }) as IdleShim;
}

export interface AttachStreams {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** Also send the beginning of lines that are not in the log yet because they go on: for a client that replays the log. */
  replay?: boolean;
}

export interface Attachment {
  /**
   * Paused, half-open; output in stdcopy frames, or raw for a terminal. What is written to it is stdin. With a passed socket it carries
   * nothing: the shim ends it when all is sent or the client is gone, and lets go of the client when it is destroyed here.
   */
  socket: Socket;
  logPosition: LogPosition;
}

export class Shim {
  readonly directory: string;
  /** The sockets listen. */
  readonly ready: Promise<void>;
  /** The pid of the process, once the runtime has started it. Rejects with RuntimeStartError or ShimLost. */
  readonly started: Promise<number>;
  /** Resolves when the process has ended and its output is in the log. Rejects with ShimLost or RuntimeStartError. */
  readonly exited: Promise<ExitRecord>;

  private readonly isReady = Promise.withResolvers<void>();
  private readonly isStarted = Promise.withResolvers<number>();
  private readonly hasExited = Promise.withResolvers<ExitRecord>();
  private closed = false;
  private stop: () => void = () => {};

  private constructor(directory: string) {
    this.directory = directory;
    this.ready = this.isReady.promise;
    this.started = this.isStarted.promise;
    this.exited = this.hasExited.promise;
    // Not everybody awaits all three: a failure nobody asks for is no unhandled rejection.
    for (const promise of [this.ready, this.started, this.exited]) promise.catch(() => {});
  }

  /** Starts a shim. Returns at once; failures arrive through `started`. */
  static spawn(shimPath: string, start: ShimStart): Shim {
    return Shim.launch(spawnIdle(shimPath), start);
  }

  /** Gives a shim process that waits for it (`spawnIdle`) its start message. */
  static launch(child: IdleShim, start: ShimStart): Shim {
    const shim = new Shim(start.directory);
    shim.stop = () => {
      child.unref();
      void child.stdout.cancel().catch(() => {});
    };
    child.ref();
    // A write fails when the process was killed meanwhile; its end is told by its stdout, which `follow` reads.
    child.stdin.write(encodeStart(start));
    Promise.resolve(child.stdin.end()).catch(() => {});
    void shim.follow(lines(child.stdout));
    return shim;
  }

  /** Finds the shim of a directory again, live or ended. Throws not-found when it left neither socket nor record. */
  static async reconnect(directory: string): Promise<Shim> {
    const shim = new Shim(directory);
    const socket = await connectUnix(directory, "control.sock").catch((error) => {
      if (["ENOENT", "ECONNREFUSED"].includes(errorCode(error) ?? "")) return undefined;
      throw error;
    });
    if (!socket) {
      const report = await pastReport(directory);
      if (!report) throw notFound(`no shim in ${directory}`);
      await shim.settlePast(report);
      return shim;
    }
    shim.stop = () => void socket.destroy();
    socket.write("subscribe\nstatus\n");
    const [subscribed, status, reports] = await firstLines(socket);
    if (subscribed !== "ok") throw internal(`unexpected answer of the shim: ${subscribed}`);
    shim.isReady.resolve();
    await shim.applyStatus(status);
    void shim.follow(reports);
    return shim;
  }

  /**
   * Joins the process's streams. The output seen from here on follows `logPosition` without gap or overlap. `passed`: a client's
   * socket, which the shim then reads and writes itself.
   */
  async attach(streams: AttachStreams, passed?: TakenSocket): Promise<Attachment> {
    await this.ready;
    const words = (["stdin", "stdout", "stderr", "replay"] as const).filter((name) => streams[name]).join(" ");
    const socket = await this.connect("attach.sock");
    if (passed) {
      const ahead = streams.stdin ? passed.ahead : Buffer.alloc(0);
      passDescriptor(socket, `attach ${words} passed ahead=${ahead.length}\n`, passed.descriptor);
      socket.write(ahead);
    } else {
      socket.write(`attach ${words}\n`);
    }
    const reply = await readLine(socket);
    return { socket, logPosition: parseLogPosition(reply) };
  }

  /** Throws conflict when the process has no terminal. */
  resize(rows: number, cols: number): Promise<void> {
    return this.command(`resize ${rows} ${cols}`);
  }

  /** Signals the process (never another one that got its pid). Throws conflict when it is not running. */
  signal(number: number): Promise<void> {
    return this.command(`signal ${number}`);
  }

  /** Closes the process's stdin. Idempotent. */
  closeStdin(): Promise<void> {
    return this.command("close-stdin");
  }

  /** Forgets the shim without ending it; the promises stay as they are. */
  close(): void {
    this.closed = true;
    this.stop();
  }

  private async command(line: string): Promise<void> {
    await this.ready;
    const socket = await this.connect("control.sock");
    socket.write(`${line}\n`);
    const reply = await readLine(socket).finally(() => socket.destroy());
    if (reply !== "ok") throw conflict(reply.replace(/^error /, ""));
  }

  private async connect(name: string): Promise<Socket> {
    try {
      return await connectUnix(this.directory, name);
    } catch (error) {
      throw conflict("the process is not running", { cause: error });
    }
  }

  private async follow(reports: AsyncIterable<string>): Promise<void> {
    try {
      for await (const line of reports) this.apply(parseReport(line.replace(/^report /, "")));
    } catch (error) {
      if (!this.closed) this.fail(error instanceof Error ? error : internal(String(error)));
    }
    if (this.closed) return;
    // The shim has ended. Usually all is settled by now; the record on disk is the last word.
    const past = await pastReport(this.directory);
    if (past) this.apply(past);
    this.fail(new ShimLost(this.directory));
  }

  private apply(report: ShimReport): void {
    if (report.kind === "ready") this.isReady.resolve();
    else if (report.kind === "pid") this.isStarted.resolve(report.pid);
    else if (report.kind === "exit") this.hasExited.resolve(report.record);
    else this.fail(new RuntimeStartError(report.exitCode, report.message));
  }

  private fail(error: Error): void {
    this.isReady.reject(error);
    this.isStarted.reject(error);
    this.hasExited.reject(error);
  }

  private async applyStatus(status: string): Promise<void> {
    const [state, ...rest] = status.split(" ");
    if (state === "running" || state === "draining") this.isStarted.resolve(Number(rest[0]));
    else if (state === "exited") await this.settlePast({ kind: "exit", record: parseExitRecord(rest.join(" ")) });
    else if (state !== "starting") throw internal(`unexpected answer of the shim: ${status}`);
  }

  private async settlePast(report: ShimReport): Promise<void> {
    if (report.kind === "exit") {
      this.isReady.resolve();
      this.isStarted.resolve(Number(await readText(`${this.directory}/pid`)));
    }
    this.apply(report);
  }
}

/** How the shim's process ended, from the files it left. */
async function pastReport(directory: string): Promise<ShimReport | undefined> {
  const exit = await readText(`${directory}/exit`);
  if (exit !== undefined) return { kind: "exit", record: parseExitRecord(exit) };
  const error = await readText(`${directory}/error`);
  return error === undefined ? undefined : { kind: "error", ...parseStartError(error) };
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Connects to a socket in a directory however long its path. */
function connectUnix(directory: string, name: string): Promise<Socket> {
  const long = Buffer.byteLength(`${directory}/${name}`) > socketPathLimit;
  const fd = long ? openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY) : undefined;
  const path = fd === undefined ? `${directory}/${name}` : `/proc/self/fd/${fd}/${name}`;
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ path, allowHalfOpen: true });
  socket.once("error", reject);
  socket.once("connect", () => {
    socket.off("error", reject);
    resolve(socket);
  });
  return promise.finally(() => {
    if (fd !== undefined) closeSync(fd);
  });
}

/** Reads one line and not one byte more: what came behind it is put back, and the socket is left paused. */
function readLine(socket: Socket): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let seen = Buffer.alloc(0);
  const settle = (finish: () => void): void => {
    socket.pause();
    socket.off("data", onData).off("error", onError).off("end", onEnd);
    finish();
  };
  // A shim that ends with our connection still in its backlog resets it.
  const onError = (cause?: Error): void => settle(() => reject(conflict("the process is not running", { cause })));
  const onEnd = (): void => onError();
  const onData = (chunk: Buffer): void => {
    seen = Buffer.concat([seen, chunk]);
    const newline = seen.indexOf(10);
    if (newline < 0) return;
    settle(() => {
      if (newline + 1 < seen.length) socket.unshift(seen.subarray(newline + 1));
      resolve(seen.toString("utf8", 0, newline));
    });
  };
  socket.on("data", onData).on("error", onError).on("end", onEnd);
  return promise;
}

/** The first two lines of a connection, and the rest of them. */
async function firstLines(socket: Socket): Promise<[string, string, AsyncGenerator<string>]> {
  const all = lines(socket);
  const first = await all.next();
  const second = await all.next();
  if (first.done || second.done) throw conflict("the process is not running");
  return [first.value, second.value, all];
}
