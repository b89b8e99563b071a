/** The OCI runtimes that `--runtime` may name, and the command lines by which the shim calls them. */
import { invalidArgument } from "../base/errors.ts";

export interface OciRuntime {
  path: string;
  /** Extra global options. */
  args: readonly string[];
  /** Shims hold a sealed copy of it, and start that. */
  sealed?: boolean;
  /** Beyond `runtimeEnvironment`. */
  environment?: Readonly<Record<string, string>>;
}

export class OciRuntimes {
  readonly default: string;
  readonly all: ReadonlyMap<string, OciRuntime>;

  constructor(all: ReadonlyMap<string, OciRuntime>, defaultName: string) {
    this.all = all;
    this.default = defaultName;
    this.get(defaultName);
  }

  /** Throws `invalid-argument` with Docker's message. */
  get(name: string | undefined): OciRuntime {
    const runtime = this.all.get(name || this.default);
    if (!runtime) throw invalidArgument(`unknown or invalid runtime name: ${name || this.default}`);
    return runtime;
  }
}

/** All of the daemon's own environment that shims and runtimes see. */
export const runtimeEnvironment = { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" };

/** The whole environment of a runtime. */
export function environmentOf({ environment }: OciRuntime): Record<string, string> {
  return { ...runtimeEnvironment, ...environment };
}

/** Where a shim has the sealed copy of the default runtime (shim/PROTOCOL.md). */
export const sealedProgram = "/proc/self/fd/3";

function program({ path, sealed }: OciRuntime): string {
  return sealed ? sealedProgram : path;
}

/** Creates and starts a container; the shim adds what ties the process to it. `root` holds the runtime's own state. */
export function runArgv(runtime: OciRuntime, root: string, bundle: string, id: string): string[] {
  return [program(runtime), ...runtime.args, "--root", root, "run", "--bundle", bundle, id];
}

export function execArgv(runtime: OciRuntime, root: string, processFile: string, id: string): string[] {
  return [program(runtime), ...runtime.args, "--root", root, "exec", "--process", processFile, id];
}
