/** The daemon under test, and the stock CLI that drives it. */
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { daemonLaunch } from "./daemons.ts";
import { busyboxArchive } from "./images.ts";
import { cgroups, findLeaks, mounts, processes, type Traces } from "./leaks.ts";
import { PtySession } from "./pty.ts";
import { must, type Outcome, type RunOptions, run, until } from "./run.ts";
import { dockerCli, targetKind } from "./settings.ts";
import { TestHost } from "./test-host.ts";

export interface TargetOptions {
  /** More flags of the daemon's. */
  flags?: string[];
  /** Contents of its daemon.json. */
  config?: Record<string, unknown>;
  /** The data root is a file system of so many bytes. */
  dataSize?: number;
  /** False: no image `busybox` is imported. */
  busybox?: boolean;
}

export class Target {
  readonly kind = targetKind;
  readonly host: TestHost;
  readonly root: string;
  private readonly options: TargetOptions;
  private readonly cgroup: string;
  private daemon: Bun.Subprocess | undefined;

  private constructor(root: string, options: TargetOptions) {
    this.root = root;
    this.options = options;
    const name = basename(root);
    this.cgroup = name;
    this.host = new TestHost(name);
  }

  /** Starts a daemon with nothing but the image `busybox`. */
  static async start(options: TargetOptions = {}): Promise<Target> {
    const target = new Target(mkdtempSync(join(tmpdir(), "ge2e-")), options);
    mkdirSync(join(target.root, "cli"));
    writeFileSync(join(target.root, "daemon.json"), JSON.stringify(options.config ?? {}));
    await target.host.create();
    if (options.dataSize !== undefined) {
      mkdirSync(target.dataRoot);
      await must(["mount", "-t", "tmpfs", "-o", `size=${options.dataSize}`, "gantry-e2e", target.dataRoot]);
    }
    try {
      await target.startDaemon();
    } catch (error) {
      await target.sweep();
      throw error;
    }
    if (options.busybox !== false) {
      await target.must("import", "-c", 'CMD ["sh"]', await busyboxArchive(), "busybox:latest");
    }
    return target;
  }

  get socket(): string {
    return join(this.root, "api.sock");
  }

  get dataRoot(): string {
    return join(this.root, "data");
  }

  get traces(): Traces {
    return { root: this.root, cgroup: this.cgroup, host: this.host };
  }

  get pid(): number {
    return this.daemon?.pid ?? -1;
  }

  get cliEnvironment(): Record<string, string | undefined> {
    const { DOCKER_CONTEXT: _, DOCKER_API_VERSION: __, ...rest } = process.env;
    return { ...rest, DOCKER_HOST: `unix://${this.socket}`, DOCKER_CONFIG: join(this.root, "cli"), HOME: this.root };
  }

  /** Starts the daemon (again) and waits until it answers. */
  async startDaemon(): Promise<void> {
    const log = openSync(join(this.root, "daemon.log"), "a");
    const paths = { root: this.root, socket: this.socket, cgroup: this.cgroup };
    const { argv, env } = daemonLaunch(this.kind, paths, this.options.flags);
    const daemon = Bun.spawn(this.host.command(argv), { env, stdin: "ignore", stdout: log, stderr: log });
    this.daemon = daemon;
    await until(
      "the daemon to answer",
      async () => {
        if (daemon.exitCode !== null) throw new Error(`the daemon ended with ${daemon.exitCode}:\n${this.log()}`);
        if (!existsSync(this.socket)) return undefined;
        const response = await this.api("/_ping").catch(() => undefined);
        return response?.ok;
      },
      90_000,
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.log()}`);
    });
  }

  /** The daemon's own log. */
  log(): string {
    return readFileSync(join(this.root, "daemon.log"), "utf8");
  }

  /** Ends the daemon: SIGTERM for the orderly way, SIGKILL for the other. */
  async stopDaemon(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.daemon?.kill(signal);
    const stuck = setTimeout(() => this.daemon?.kill("SIGKILL"), 60_000);
    await this.daemon?.exited;
    clearTimeout(stuck);
    this.daemon = undefined;
  }

  /** A request to the Engine API. */
  api(path: string, init: RequestInit & { json?: unknown } = {}): Promise<Response> {
    const { json, ...rest } = init;
    const body =
      json === undefined ? {} : { body: JSON.stringify(json), headers: { "content-type": "application/json" } };
    return fetch(`http://docker${path}`, { ...rest, ...body, unix: this.socket });
  }

  /** Runs the stock CLI. */
  docker(...args: string[]): Promise<Outcome> {
    return this.dockerWith({}, ...args);
  }

  dockerWith(options: RunOptions & { cli?: string }, ...args: string[]): Promise<Outcome> {
    const { cli = dockerCli, env = {}, ...rest } = options;
    return run([cli, ...args], { ...rest, env: { ...this.cliEnvironment, ...env } });
  }

  /** Runs the stock CLI, which must succeed; its standard output without the last newline. */
  must(...args: string[]): Promise<string> {
    return must([dockerCli, ...args], { env: this.cliEnvironment });
  }

  /** A CLI that goes on in the background, with its output as it comes. */
  spawn(...args: string[]): Bun.Subprocess<"pipe", "pipe", "pipe"> {
    return Bun.spawn([dockerCli, ...args], { env: this.cliEnvironment, stdin: "pipe", stdout: "pipe", stderr: "pipe" });
  }

  /** The stock CLI on a terminal. */
  pty(args: string[], size?: { cols: number; rows: number }): PtySession {
    return new PtySession([dockerCli, ...args], { ...this.cliEnvironment, TERM: "xterm" }, size);
  }

  /** `docker inspect`, one object, as the caller knows it to be. */
  async inspect<T = Record<string, unknown>>(name: string, ...flags: string[]): Promise<T> {
    const [first] = JSON.parse(await this.must("inspect", ...flags, name)) as T[];
    return first as T;
  }

  /** Waits for a container to be in a state, e.g. `running`. */
  async state(name: string, wanted: string, timeout = 30_000): Promise<void> {
    await until(
      `${name} to be ${wanted}`,
      async () => (await this.docker("inspect", "-f", "{{.State.Status}}", name)).stdout.trim() === wanted,
      timeout,
    );
  }

  /** Removes all containers, ends the daemon and its host; throws when anything of it is left. */
  async stop(): Promise<void> {
    const leaks: string[] = [];
    try {
      const ids = (await this.docker("ps", "-aq", "--no-trunc")).stdout.split("\n").filter((id) => id !== "");
      if (ids.length > 0) await this.docker("rm", "-f", "-v", ...ids);
      await this.stopDaemon();
      if (this.options.dataSize !== undefined) await must(["umount", this.dataRoot]);
      if (this.kind === "gantry") leaks.push(...(await this.remaining()));
    } finally {
      if (process.env["E2E_KEEP"]) console.error(`kept: ${this.root}`);
      else await this.sweep();
    }
    if (leaks.length > 0) throw new Error(`left behind:\n${leaks.join("\n")}`);
  }

  /** Traces still there after a moment in which processes may end. */
  private async remaining(): Promise<string[]> {
    let leaks = await findLeaks(this.traces);
    for (let wait = 0; leaks.length > 0 && wait < 20; wait++) {
      await Bun.sleep(100);
      leaks = await findLeaks(this.traces);
    }
    return leaks;
  }

  /** Takes away whatever is there, so that one failure does not disturb the next file. */
  private async sweep(): Promise<void> {
    for (const { pid } of processes(this.traces)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself.
      }
    }
    await Bun.sleep(100);
    for (const path of mounts(this.root).reverse()) await run(["umount", "-l", path]);
    for (const path of cgroups(this.cgroup)) removeCgroup(path);
    await this.host.remove();
    rmSync(this.root, { recursive: true, force: true });
  }
}

function removeCgroup(path: string): void {
  try {
    for (const child of new Bun.Glob("*").scanSync({ cwd: path, onlyFiles: false })) {
      if (existsSync(join(path, child, "cgroup.procs"))) removeCgroup(join(path, child));
    }
    rmdirSync(path);
  } catch {
    // Still in use: the leak was reported already.
  }
}
