/**
 * Compiled seccomp filters, so that a profile is compiled once and not at every start: crun spends a third of its time on that.
 * crun keeps what it compiled beside the container's state and takes such a program back by annotation; other runtimes compile
 * for themselves. Kept in memory only: the program belongs to this kernel and this runtime.
 */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { errorCode } from "../base/errors.ts";
import type { RuntimeSpec } from "../oci/runtime-spec.ts";
import type { OciRuntime } from "./oci-runtime.ts";

const annotation = "run.oci.seccomp_bpf_data";
/** Profiles differ by capabilities and by what users bring; the oldest are forgotten. */
const maxPrograms = 64;

export interface PreparedSpec {
  spec: RuntimeSpec;
  /** Call after the start, with the runtime's own state directory of this container: keeps what the runtime compiled. */
  learn(stateDirectory: string): void;
}

export class SeccompCache {
  /** Runtime and profile → the program in base64. */
  private readonly programs = new Map<string, string>();

  /**
   * For one start: the spec with its compiled filter, when that is known, else what is to be done after the start to know it.
   * The profile stays in the spec: execs and readers need it.
   */
  prepare(spec: RuntimeSpec, runtime: OciRuntime): PreparedSpec {
    const key = keyOf(spec, runtime);
    const program = key === undefined ? undefined : this.programs.get(key);
    if (key === undefined) return { spec, learn: () => undefined };
    if (program === undefined) return { spec, learn: (stateDirectory) => this.learn(key, stateDirectory) };
    return { spec: { ...spec, annotations: { ...spec.annotations, [annotation]: program } }, learn: () => undefined };
  }

  private learn(key: string, stateDirectory: string): void {
    try {
      this.programs.set(key, readFileSync(join(stateDirectory, "seccomp.bpf")).toString("base64"));
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error; // The container may have ended and been removed already.
    }
    if (this.programs.size > maxPrograms) this.programs.delete(this.programs.keys().next().value as string);
  }
}

/** Undefined when there is nothing to cache. */
function keyOf({ linux }: RuntimeSpec, runtime: OciRuntime): string | undefined {
  if (!linux.seccomp || basename(runtime.path) !== "crun") return undefined;
  return Bun.hash(`${runtime.path}\0${JSON.stringify(linux.seccomp)}`).toString(36);
}
