/** Build contexts: the files that a Dockerfile may copy, unpacked into a directory of their own while the build lasts. */
import { chmodSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { JobWorkers } from "../../archive/processes/job-workers.ts";
import { type ChildInput, startChild } from "../../archive/processes/run-child.ts";
import { readArchive } from "../../archive/read-archive.ts";
import { hiddenDockerfile } from "../../archive/trees/context-jobs.ts";
import { invalidArgument, notFound } from "../../base/errors.ts";
import type { Bytes } from "../../base/streams.ts";
import { readTextInRoot } from "../../linux/resolve.ts";
import { MemoryDirectory } from "./memory-directory.ts";

export interface BuildContext extends AsyncDisposable {
  /** Not to be trusted: links in it may point anywhere. Only confined processes walk it. */
  readonly directory: string;
  /** The Dockerfile's text, also when the context's own ignore file leaves it out. Throws `not-found` in Docker's words. */
  dockerfile(): string;
}

export interface ContextOptions {
  /** Directory in which contexts are made. */
  parent: string;
  /** Path of the Dockerfile in the context. */
  dockerfile: string;
  signal: AbortSignal;
  workers: JobWorkers;
  /** Takes a directory away at once, and deletes it later. */
  discard(directory: string): void;
}

/** A tar archive of any compression. What its `.dockerignore` leaves out is gone; rejects `invalid-argument` for a broken archive. */
export async function receiveContext(body: Bytes, options: ContextOptions): Promise<BuildContext> {
  using stack = new DisposableStack();
  const disk = makeDirectory(options);
  stack.defer(() => options.discard(disk));
  const memory = stack.use(new MemoryDirectory(options.parent));
  const job = {
    verb: "unpack-context",
    directory: memory.path,
    dockerfile: options.dockerfile,
    spill: { directory: disk, limit: memory.limit },
  };
  const unpack = (stdin: ChildInput, signal: AbortSignal) =>
    typeof stdin === "object"
      ? options.workers.run(job, { input: stdin, signal })
      : startChild("__archive", job, { stdin, signal }).result;
  const result = await readArchive(body, unpack, options.signal);
  if ((result as { spilled: boolean }).spilled) {
    memory[Symbol.dispose]();
    return contextIn(disk, options.dockerfile, stack.move());
  }
  return contextIn(memory.path, options.dockerfile, stack.move());
}

/** An empty one, to be filled. */
export function makeContext(options: Pick<ContextOptions, "parent" | "dockerfile" | "discard">): BuildContext {
  const stack = new DisposableStack();
  const directory = makeDirectory(options);
  stack.defer(() => options.discard(directory));
  return contextIn(directory, options.dockerfile, stack);
}

/** Readable by whoever runs in a step, which may see it; nobody else can reach it. */
function makeDirectory({ parent }: Pick<ContextOptions, "parent">): string {
  const directory = mkdtempSync(join(parent, "context-"));
  chmodSync(directory, 0o755);
  return directory;
}

function contextIn(directory: string, dockerfile: string, owned: Disposable): BuildContext {
  return {
    directory,
    dockerfile: () => readDockerfile(directory, dockerfile),
    [Symbol.asyncDispose]: async () => owned[Symbol.dispose](),
  };
}

/** As BuildContext's `dockerfile`. Where the usual name is not there, it may be in small letters. */
export function readDockerfile(directory: string, name: string): string {
  const names = [name, ...(name === "Dockerfile" ? ["dockerfile"] : []), hiddenDockerfile];
  for (const candidate of names) {
    const found = readTextInRoot(directory, `/${candidate}`);
    if (found !== undefined) return found;
  }
  if (name.split("/").includes("..")) {
    throw invalidArgument(`forbidden path outside the build context: ${name} ()`);
  }
  throw notFound(`Cannot locate specified Dockerfile: ${name}`);
}
