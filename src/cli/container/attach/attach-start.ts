/** Attach, wait, start, resize, in the order that loses nothing: for `run` and `start -a`. */
import type { Query } from "../../../api/client.ts";
import type { HijackedStream } from "../../../api/client-hijack.ts";
import type { CliContext } from "../../context.ts";
import { describeError } from "../../errors.ts";
import { type AttachedStreams, pumpStreams } from "../../terminal/streams.ts";
import { openAttach } from "./attach-container.ts";
import { followTerminalSize, proxySignals } from "./signals.ts";
import { waitForExit } from "./wait-exit.ts";

export interface StartOptions {
  /** The daemon removes the container at its exit; then that is waited for. */
  readonly remove: boolean;
  /** Pass signals on. */
  readonly proxy: boolean;
  readonly query?: Query;
}

/** The daemon refused to start the container; `cause` is its error. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/** Starts a created container with its streams attached, and returns the exit code. Throws StartError. */
export async function attachAndStart(
  context: CliContext,
  id: string,
  streams: AttachedStreams,
  options: StartOptions,
): Promise<number> {
  const { client } = context;
  using _signals = options.proxy && isAttached(streams) ? proxySignals(client, id) : undefined;
  const [connection, exit] = await Promise.all([
    isAttached(streams) ? openAttach(client, id, streams) : undefined,
    isAttached(streams) || options.remove
      ? waitForExit(client, id, options.remove ? "removed" : "next-exit", (text) => context.stderr.print(text))
      : undefined,
  ]);
  const pumping = connection ? pump(context, connection, streams, exit?.code) : undefined;
  try {
    await client.send("POST", `/containers/${id}/start`, { query: options.query ?? {} });
  } catch (error) {
    connection?.close();
    await pumping;
    if (options.remove) await exit?.code;
    throw new StartError(describeError(error), { cause: error });
  }
  if (!pumping) return 0;
  const sizes =
    streams.tty && context.stdout.isTerminal ? followTerminalSize(context, `/containers/${id}/resize`) : undefined;
  using _sizes = sizes;
  const end = await pumping;
  if (end instanceof Error) throw end;
  if (end === "detached") return 0;
  return exit ? exit.code : 0;
}

/** Never rejects: the start may fail first, and then its error is the one to show. */
function pump(
  context: CliContext,
  connection: HijackedStream,
  streams: AttachedStreams,
  exit: Promise<number> | undefined,
) {
  return pumpStreams(context, connection, streams, exit).catch((error: unknown) =>
    error instanceof Error ? error : new Error(String(error)),
  );
}

function isAttached(streams: AttachedStreams): boolean {
  return streams.stdin || streams.stdout || streams.stderr;
}
