/**
 * How a piece of work in a child process (a hidden verb of this executable) talks to the process that started it: the job is one JSON
 * argument, bulk data goes through stdin and stdout, and stderr carries JSON lines, one per message: `head` once before the
 * output (if the job has one), then `result` or `error`.
 */
import { getSystemErrorMap } from "node:util";
import { EngineError, type ErrorKind, errorCode, errorKind, errorMessage } from "../../base/errors.ts";
import { writeAll } from "../byte-sink.ts";
import { ByteSource } from "../byte-source.ts";
import { dieWithParent } from "./confine.ts";

export type ChildMessage = { head: unknown } | { result: unknown } | { error: { kind: ErrorKind; message: string } };

/** A child's reader has gone: it knows better why. */
export const brokenPipe = "broken pipe";

/** `input`: the stream that comes with the job. */
export type Jobs = Record<string, (job: never, input: () => ByteSource) => unknown>;

function report(message: ChildMessage): void {
  writeAll(2, Buffer.from(`${JSON.stringify(message)}\n`));
}

export function reportHead(head: unknown): void {
  report({ head });
}

/** Runs the job named by `verb` in the JSON argument. Returns the exit code. */
export async function runJob(jobs: Jobs, argv: string[]): Promise<number> {
  dieWithParent();
  // Files get the modes that the job says.
  process.umask(0);
  try {
    const result = await start(jobs, JSON.parse(argv[0] ?? "{}") as { verb: string }, () => new ByteSource(0));
    report({ result: result ?? null });
    return 0;
  } catch (error) {
    report({ error: errorOf(error) });
    return 1;
  }
}

/** Calls the job's function. */
export function start(jobs: Jobs, job: { verb: string }, input: () => ByteSource): unknown {
  const run = jobs[job.verb];
  if (!run) throw new Error(`unknown job ${job.verb}`);
  return run(job as never, input);
}

/** What the parent makes an EngineError of. */
export function errorOf(error: unknown): { kind: ErrorKind; message: string } {
  return { kind: errorKind(error), message: describe(error) };
}

/** `syscall path: reason`, as Go words a system error. */
function describe(error: unknown): string {
  if (error instanceof EngineError || typeof error !== "object" || error === null) return errorMessage(error);
  const code = errorCode(error);
  if (code === undefined || !("syscall" in error)) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const message = errorMessage(error);
  const reason = goReason(code);
  if ("path" in error) return `${error.syscall} ${error.path}: ${reason}`;
  return message.endsWith(`: ${code}`) ? `${message.slice(0, -code.length)}${reason}` : `${error.syscall}: ${reason}`;
}

/** Where Go's words differ from libuv's. */
const reasons: Record<string, string> = {
  EEXIST: "file exists",
  EACCES: "permission denied",
  EISDIR: "is a directory",
  ELOOP: "too many levels of symbolic links",
  EROFS: "read-only file system",
  ENAMETOOLONG: "file name too long",
  EIO: "input/output error",
  EPIPE: brokenPipe,
  EDQUOT: "disk quota exceeded",
  EBUSY: "device or resource busy",
};

/** Go's words for an errno's name. */
export function goReason(code: string): string {
  if (reasons[code] !== undefined) return reasons[code];
  for (const [name, message] of getSystemErrorMap().values()) if (name === code) return message;
  return code;
}
