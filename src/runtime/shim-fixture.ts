/** For the shim's tests: the real binary and the real crun, on a root of busybox in a temporary directory. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runtimeEnvironment } from "./oci-runtime.ts";
import { Shim, type ShimStart } from "./shim.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
/** Another build, say one with sanitizers, may be tested instead. */
export const shimPath = process.env["GANTRY_TEST_SHIM"] ?? join(repository, "build/gantry-shim");
const hybrid = existsSync("/sys/fs/cgroup/unified/cgroup.procs") ? "/sys/fs/cgroup/unified" : undefined;

export interface ContainerOptions extends Partial<ShimStart> {
  args: string[];
  memory?: number;
}

export interface Started {
  shim: Shim;
  id: string;
  directory: string;
}

/** Containers and shims of one test file; `dispose` leaves nothing of them. */
export class ShimFixture {
  readonly base = mkdtempSync(join(tmpdir(), "gantry-shim-"));
  private readonly ids: string[] = [];
  private readonly shims: Shim[] = [];
  private count = 0;

  constructor() {
    const build = Bun.spawnSync(["make", "-C", join(repository, "shim"), "all"], { stdout: "pipe", stderr: "pipe" });
    if (build.exitCode !== 0) throw new Error(build.stderr.toString());
    // With the mount points: containers that start at once on one root would race to make them.
    for (const name of ["bin", "dev", "proc", "sys"]) mkdirSync(join(this.base, "rootfs", name), { recursive: true });
    copyFileSync("/bin/busybox", join(this.base, "rootfs/bin/busybox"));
    for (const name of ["sh", "cat", "sleep", "stty", "dd", "head", "yes", "seq", "sed"]) {
      symlinkSync("busybox", join(this.base, "rootfs/bin", name));
    }
    const spec = Bun.spawnSync(["crun", "spec"], { cwd: this.base, stderr: "pipe" });
    if (spec.exitCode !== 0) throw new Error(spec.stderr.toString());
  }

  directory(): string {
    const directory = join(this.base, `shim${++this.count}`);
    mkdirSync(directory);
    return directory;
  }

  /** The start of a container that runs `args`, with its bundle written. */
  container(options: ContainerOptions): ShimStart & { id: string } {
    const { args, memory, ...start } = options;
    const directory = start.directory ?? this.directory();
    const id = `gantry-shim-test-${process.pid}-${this.ids.length}`;
    this.ids.push(id);
    const config = JSON.parse(readFileSync(join(this.base, "config.json"), "utf8"));
    config.process.args = args;
    config.process.terminal = start.terminal ?? false;
    config.root.path = join(this.base, "rootfs");
    config.linux.cgroupsPath = `/${id}`;
    if (memory !== undefined) config.linux.resources = { ...config.linux.resources, memory: { limit: memory } };
    writeFileSync(join(directory, "config.json"), JSON.stringify(config));
    const runtimeArgv = ["crun", "--root", join(this.base, "crun"), "run", "--bundle", directory, id];
    return { id, ...this.start({ directory, runtimeArgv, ...start }) };
  }

  start(start: Partial<ShimStart> & Pick<ShimStart, "directory" | "runtimeArgv">): ShimStart {
    return {
      terminal: false,
      stdin: "none",
      waitAttach: 0,
      cwd: "/",
      env: runtimeEnvironment,
      log: { path: join(start.directory, "log"), maxSize: 0, maxFile: 1, compress: false },
      ...(hybrid === undefined ? {} : { hideCgroup2: hybrid }),
      ...start,
    };
  }

  spawn(start: ShimStart): Shim {
    const shim = Shim.spawn(shimPath, start);
    this.shims.push(shim);
    return shim;
  }

  run(options: ContainerOptions): Started {
    const start = this.container(options);
    return { shim: this.spawn(start), id: start.id, directory: start.directory };
  }

  /** A second process in a container. */
  exec(id: string, args: string[], start: Partial<ShimStart> = {}): Started {
    const directory = start.directory ?? this.directory();
    const tty = start.terminal ? ["--tty"] : [];
    const runtimeArgv = ["crun", "--root", join(this.base, "crun"), "exec", ...tty, id, ...args];
    return { shim: this.spawn(this.start({ ...start, directory, runtimeArgv })), id, directory };
  }

  /** A shell script in place of the runtime: `$pidfile` is the --pid-file option, `$*` what follows `--`. */
  fakeRuntime(script: string, ...args: string[]): string[] {
    const path = join(this.base, `fake${++this.count}`);
    const options = 'while [ "$1" != -- ]; do [ "$1" = --pid-file ] && pidfile=$2; shift; done; shift';
    writeFileSync(path, `#!/bin/sh\n${options}\nexec 3<&0\n${script}\n`, { mode: 0o755 });
    return [path, "run", "--", ...args];
  }

  async dispose(): Promise<void> {
    for (const shim of this.shims) shim.close();
    const hide = hybrid === undefined ? "" : `umount -l ${hybrid};`;
    const remove = `${hide} for id; do crun --root ${join(this.base, "crun")} delete --force "$id" 2>/dev/null; done`;
    await Bun.spawn(["unshare", "-m", "sh", "-c", remove, "sh", ...this.ids], { stderr: "ignore" }).exited;
    rmSync(this.base, { recursive: true, force: true });
  }
}

export interface LogEntry {
  log: string;
  stream: string;
  time: string;
}

export function readLog(path: string): LogEntry[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** All that comes until the shim closes the connection. */
export async function drain(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The payload of each stream of a stdcopy byte stream. Throws when the frames do not add up. */
export function unframe(bytes: Buffer): { stdout: string; stderr: string } {
  const streams = ["", "", ""];
  for (let at = 0; at < bytes.length; ) {
    const stream = bytes.readUInt32BE(at) >>> 24;
    const length = bytes.readUInt32BE(at + 4);
    if ((stream !== 1 && stream !== 2) || at + 8 + length > bytes.length) throw new Error(`bad frame at ${at}`);
    streams[stream] += bytes.toString("utf8", at + 8, at + 8 + length);
    at += 8 + length;
  }
  return { stdout: streams[1] ?? "", stderr: streams[2] ?? "" };
}

/** Reads until the text has come, and leaves the socket paused again. */
export async function readUntil(socket: Socket, text: string, timeout = 3000): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let seen = "";
  const timer = setTimeout(() => reject(new Error(`no ${JSON.stringify(text)} in ${JSON.stringify(seen)}`)), timeout);
  const onData = (chunk: Buffer): void => {
    seen += chunk.toString("latin1");
    if (seen.includes(text)) resolve(seen);
  };
  socket.on("data", onData).resume();
  return await promise.finally(() => {
    clearTimeout(timer);
    socket.off("data", onData);
    socket.pause();
  });
}
