/**
 * The traffic of an attached container or exec: typed input to the daemon, its output to ours, raw terminal mode while it lasts, detach
 * keys, and an end as soon as the output ends.
 */
import type { HijackedStream } from "../../api/client-hijack.ts";
import { parseDetachKeys } from "../../api/detach-keys.ts";
import { StdcopyReader } from "../../api/stdcopy-reader.ts";
import { errorMessage } from "../../base/errors.ts";
import type { CliContext } from "../context.ts";
import { DetachScanner, defaultDetachKeys } from "./detach-keys.ts";

export interface AttachedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** The other end is a terminal: one raw stream, not two framed ones. */
  readonly tty: boolean;
  /** Empty: the default. */
  readonly detachKeys: string;
}

export type StreamEnd = "closed" | "detached";

/**
 * Pumps until the output ends, the user detaches, or (with no output asked for) the input or the process ends. The terminal is always
 * restored.
 */
export async function pumpStreams(
  context: CliContext,
  connection: HijackedStream,
  streams: AttachedStreams,
  exit?: Promise<unknown>,
): Promise<StreamEnd> {
  const raw = streams.stdin && streams.tty && context.stdin.isTerminal;
  const restore = raw ? rawUntilRestored(context) : () => {};
  try {
    const ends: Promise<StreamEnd>[] = [];
    const hasOutput = streams.stdout || streams.stderr;
    if (hasOutput) ends.push(pumpOutput(context, connection, streams).then(() => "closed"));
    if (streams.stdin) ends.push(pumpInput(context, connection, scannerFor(context, streams), hasOutput));
    if (exit && !hasOutput) ends.push(exit.then(() => "closed"));
    return await Promise.race(ends);
  } finally {
    restore();
    connection.close();
  }
}

/** A signal that ends this process, and that nobody passes on, must not leave the terminal raw. */
function rawUntilRestored(context: CliContext): () => void {
  const restore = context.stdin.makeRaw();
  const unhandled = (["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const).filter(
    (signal) => process.listenerCount(signal) === 0,
  );
  const onSignal = (_name: string, number: number) => {
    restore();
    process.exit(128 + number);
  };
  for (const signal of unhandled) process.on(signal, onSignal);
  return () => {
    for (const signal of unhandled) process.off(signal, onSignal);
    restore();
  };
}

function scannerFor(context: CliContext, streams: AttachedStreams): DetachScanner | undefined {
  if (!streams.tty) return undefined;
  try {
    return new DetachScanner(parseDetachKeys(streams.detachKeys || defaultDetachKeys));
  } catch (error) {
    context.stderr.print(`invalid detach escape keys, using default: ${errorMessage(error)}`);
    return new DetachScanner(parseDetachKeys(defaultDetachKeys));
  }
}

async function pumpOutput(context: CliContext, connection: HijackedStream, streams: AttachedStreams): Promise<void> {
  if (streams.tty) {
    for await (const chunk of connection) await context.stdout.send(chunk);
    return;
  }
  await demultiplex(context, connection, streams);
}

/** Writes a framed stream to stdout and stderr, each piece before the next is read. */
export async function demultiplex(
  context: CliContext,
  source: AsyncIterable<Uint8Array>,
  wanted: { readonly stdout: boolean; readonly stderr: boolean } = { stdout: true, stderr: true },
): Promise<void> {
  const reader = new StdcopyReader();
  for await (const chunk of source) {
    for (const piece of reader.read(chunk)) {
      if (piece.stream === 2 ? wanted.stderr : wanted.stdout) {
        await (piece.stream === 2 ? context.stderr : context.stdout).send(...piece.parts);
      }
    }
  }
}

/** Resolves when the user detaches; when the input ends, only if no output is awaited. */
async function pumpInput(
  context: CliContext,
  connection: HijackedStream,
  scanner: DetachScanner | undefined,
  outputFollows: boolean,
): Promise<StreamEnd> {
  try {
    for await (const chunk of context.stdin.stream()) {
      const { pass, detached } = scanner?.scan(chunk) ?? { pass: chunk, detached: false };
      if (pass.length > 0) await connection.write(pass);
      if (detached) return "detached";
    }
    connection.closeWrite();
  } catch {
    // The other side is gone; the end of its output says what there is to say.
  }
  return outputFollows ? new Promise<StreamEnd>(() => {}) : "closed";
}
