/** Starts pieces of work in child processes of this executable and connects their streams (the other side: child-protocol.ts). */
import { closeSync } from "node:fs";
import { canceled, EngineError, internal } from "../../base/errors.ts";
import { selfArgv } from "../../base/self.ts";
import { type Bytes, type CarriedBytes, lines, type PipedBytes } from "../../base/streams.ts";
import { makePipe, writeAll } from "../../linux/pipe.ts";
import { giveWay } from "../../linux/priority.ts";
import { outputOf } from "./child-output.ts";
import type { ChildMessage } from "./child-protocol.ts";

/** A hidden verb of the program's entry that runs jobs. */
export type ChildVerb = "__archive" | "__snapshot" | "__build" | "__volume";

/** What a child reads: nothing, a stream of this process, or an open descriptor. */
export type ChildInput = CarriedBytes | number | undefined;

export interface ChildOptions {
  stdin?: ChildInput;
  /** `stream`: `output` gives it. A number: an open descriptor. */
  stdout?: "stream" | number;
  signal?: AbortSignal | undefined;
}

export interface Child {
  /** Resolves with the job's `head` message, or rejects as `result` does if there is none. */
  head: Promise<unknown>;
  /** Rejects with the child's own EngineError, or `canceled`. */
  result: Promise<unknown>;
  /** The child's stdout, with `stdout: "stream"`. Ends with the error if the child failed; leaving early ends the child. */
  output: PipedBytes;
}

export function startChild(verb: ChildVerb, job: object, options: ChildOptions = {}): Child {
  const { signal } = options;
  signal?.throwIfAborted();
  const streamIn = typeof options.stdin === "object";
  const input = streamIn ? makePipe() : undefined;
  const output = options.stdout === "stream" ? makePipe() : undefined;
  const child = Bun.spawn(selfArgv(verb, JSON.stringify(job)), {
    detached: verb === "__archive",
    stdin: input ? input.readEnd : typeof options.stdin === "number" ? options.stdin : "ignore",
    stdout: output ? output.writeEnd : typeof options.stdout === "number" ? options.stdout : "ignore",
    stderr: "pipe",
  });
  if (verb === "__archive") giveWay(child);
  if (input) closeSync(input.readEnd);
  if (output) closeSync(output.writeEnd);
  const kill = () => child.kill("SIGKILL");
  signal?.addEventListener("abort", kill, { once: true });
  const head = Promise.withResolvers<unknown>();
  const succeeded = Promise.withResolvers<boolean>();
  let inputError: unknown;
  const fail = (error: unknown) => {
    inputError = error;
    kill();
  };
  const feeding = input && feed(options.stdin as Bytes, input.writeEnd, { fail, succeeded: succeeded.promise });
  const result = (async () => {
    try {
      const outcome = await readOutcome(child.stderr as ReadableStream<Uint8Array>, head.resolve);
      await child.exited;
      if (signal?.aborted) throw canceled("context canceled");
      const success = outcome !== undefined && "result" in outcome;
      succeeded.resolve(success);
      if (success) await feeding;
      if (inputError !== undefined) throw inputError;
      if (outcome === undefined) throw internal(`a ${verb} process ended with ${child.signalCode ?? child.exitCode}`);
      if ("error" in outcome) throw new EngineError(outcome.error.kind, outcome.error.message);
      return outcome.result;
    } finally {
      succeeded.resolve(false);
      signal?.removeEventListener("abort", kill);
    }
  })();
  result.then(() => head.resolve(undefined), head.reject);
  head.promise.catch(() => {});
  result.catch(() => {});
  return { head: head.promise, result, output: outputOf(output?.readEnd, result, kill) };
}

/** Runs a job that has neither input nor output streams. */
export function runChild(verb: ChildVerb, job: object, signal?: AbortSignal): Promise<unknown> {
  return startChild(verb, job, { signal }).result;
}

type Outcome = { result: unknown } | { error: { kind: EngineError["kind"]; message: string } };

async function readOutcome(stderr: Bytes, onHead: (head: unknown) => void): Promise<Outcome | undefined> {
  let outcome: Outcome | undefined;
  const other: string[] = [];
  for await (const line of lines(stderr)) {
    if (!line.startsWith("{")) {
      if (other.length < 50) other.push(line);
      continue;
    }
    const message = JSON.parse(line) as ChildMessage;
    if ("head" in message) onHead(message.head);
    else outcome = message;
  }
  return outcome ?? (other.length > 0 ? { error: { kind: "internal", message: other.join("\n") } } : undefined);
}

/** A stream that has given so many bytes is a long one: let another process carry the rest. */
const carryFrom = 1 << 20;

/** Bytes that gather while a write is under way, before the source has to wait for it. */
const gatherLimit = 1 << 20;

/**
 * Passes a stream on to a process through the writing end of a pipe, which it closes. The writing is done by the thread pool, which
 * waits for the child, while the next bytes are fetched. A child that stops reading ends it silently: its own result tells why; if
 * that is success, what still comes (an archive goes on behind its end) is taken and forgotten, as senders expect.
 * An error of the stream itself goes to `fail`, which ends the child.
 */
export async function feed(
  source: CarriedBytes,
  descriptor: number,
  { fail, succeeded }: { fail: (error: unknown) => void; succeeded: Promise<boolean> },
): Promise<void> {
  let gathered: Uint8Array[] = [];
  let size = 0;
  let passed = 0;
  let refused = false;
  let writing: Promise<void> | undefined;
  const flush = () => {
    const chunks = gathered;
    gathered = [];
    size = 0;
    writing = writeAll(descriptor, chunks).then(
      () => {
        writing = undefined;
      },
      () => {
        refused = true;
        writing = undefined;
      },
    );
  };
  const settled = async () => {
    await writing;
    if (refused || size === 0) return;
    flush();
    await writing;
  };
  try {
    for await (const chunk of source) {
      if (refused) {
        if (!(await succeeded)) break;
        continue;
      }
      gathered.push(chunk);
      size += chunk.length;
      if (size >= gatherLimit) await writing;
      if (!writing) flush();
      passed += chunk.length;
      if (passed < carryFrom || !source.carryTo) continue;
      await settled();
      if (!refused && (await carriedOn(source, descriptor, succeeded))) break;
      passed = Number.NEGATIVE_INFINITY;
    }
  } catch (error) {
    fail(error ?? internal("the stream ended with an error"));
  } finally {
    await settled();
    closeSync(descriptor);
  }
}

/** Hands the rest of a stream to another process. False where that cannot be. A child that fails ends it. */
async function carriedOn(source: CarriedBytes, descriptor: number, succeeded: Promise<boolean>): Promise<boolean> {
  const failed = new AbortController();
  succeeded.then((success) => {
    if (!success) failed.abort();
  });
  const carrying = source.carryTo?.(descriptor, failed.signal);
  await carrying;
  return carrying !== undefined;
}
