/** Build contexts: the files that a Dockerfile may copy, unpacked into a directory of their own while the build lasts. */
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { hiddenDockerfile } from "../../archive/context-jobs.ts";
import type { JobWorkers } from "../../archive/job-workers.ts";
import { readArchive } from "../../archive/read-archive.ts";
import { type ChildInput, startChild } from "../../archive/run-child.ts";
import { invalidArgument, notFound } from "../../base/errors.ts";
import type { Bytes } from "../../base/streams.ts";
import { readTextInRoot } from "../../linux/resolve.ts";

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
}

/** A tar archive of any compression. What its `.dockerignore` leaves out is gone; rejects `invalid-argument` for a broken archive. */
export async function receiveContext(body: Bytes, options: ContextOptions): Promise<BuildContext> {
  const context = makeContext(options);
  const job = { verb: "unpack-context", directory: context.directory, dockerfile: options.dockerfile };
  const unpack = (stdin: ChildInput, signal: AbortSignal) =>
    typeof stdin === "object"
      ? options.workers.run(job, { input: stdin, signal })
      : startChild("__archive", job, { stdin, signal }).result;
  try {
    await readArchive(body, unpack, options.signal);
    return context;
  } catch (error) {
    await context[Symbol.asyncDispose]();
    throw error;
  }
}

/** An empty one, to be filled. */
export function makeContext({ parent, dockerfile }: Pick<ContextOptions, "parent" | "dockerfile">): BuildContext {
  const directory = mkdtempSync(join(parent, "context-"));
  return {
    directory,
    dockerfile: () => readDockerfile(directory, dockerfile),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
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
    throw invalidArgument(`the Dockerfile (${name}) must be within the build context`);
  }
  throw notFound(`Cannot locate specified Dockerfile: ${name}`);
}
