/**
 * Attaching clients to a container or exec. The shim gets the client's own socket and serves it, so that no byte goes through this
 * process. Where something has to be done to them (detach keys, the log first, WebSockets, TLS) they are pumped between both sockets
 * here, unparsed: the shim frames its output as Docker wants it. A client may attach before the start; the shim is then told to wait.
 */
import type { Duplex } from "node:stream";
import { type TakenSocket, takeSocket } from "../../../linux/pass-descriptor.ts";
import type { Shim } from "../../../runtime/shim.ts";
import { DetachScanner } from "./detach-scanner.ts";

export interface AttachStreams {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
}

/** A client that came before the process. `connect` is called at the start, `abandon` when there will be none. */
export interface PendingAttach {
  connect(shim: Shim): Promise<void>;
  abandon(): void;
}

export interface SpliceOptions {
  streams: AttachStreams;
  /** Scan the client's input for these bytes and detach on them. */
  detachKeys?: Uint8Array | undefined;
  /** Called when the client detached by keys. */
  onDetach?: () => void;
  /** The client's side is ended with the output only if this resolves: else the caller has something left to say. */
  started?: Promise<unknown>;
  /** Written to the client before live output: the log so far. Gets the log's position at the moment of attaching. */
  replay?: ((logPosition: LogPosition, client: Duplex) => Promise<void>) | undefined;
}

type Attached = Awaited<ReturnType<Shim["attach"]>>;
export type LogPosition = Attached["logPosition"];

/** Joins a client with a live shim; resolves when the output has ended or the client has gone or detached. */
export async function splice(shim: Shim, client: Duplex, options: SpliceOptions): Promise<void> {
  const passed = await passable(client, options);
  const { socket, logPosition } = await shim.attach(options.streams, passed);
  try {
    await options.replay?.(logPosition, client);
    await (passed === undefined ? join(client, socket, options) : served(client, socket, options));
  } finally {
    socket.destroy();
  }
}

/** The socket of a client whose bytes nobody here has to see. */
async function passable(
  client: Duplex,
  { detachKeys, replay, streams }: SpliceOptions,
): Promise<TakenSocket | undefined> {
  const scanned = streams.stdin && detachKeys !== undefined && detachKeys.length > 0;
  return scanned || replay ? undefined : takeSocket(client);
}

/** Resolves when the shim has served a client that it was passed. */
function served(client: Duplex, shim: Duplex, { started = Promise.resolve() }: SpliceOptions): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => resolve();
    shim.once("error", finish).once("end", () => started.then(() => client.end(finish), finish));
    shim.resume();
  });
}

/** For a client that is attached before the start: resolves like `splice`, once the process has come and gone. */
export function spliceAtStart(client: Duplex, options: SpliceOptions, pending: Set<PendingAttach>): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      pending.delete(entry);
      resolve();
    };
    const entry: PendingAttach = {
      async connect(shim) {
        pending.delete(entry);
        client.off("close", leave);
        const passed = await passable(client, options);
        const { socket } = await shim.attach(options.streams, passed);
        (passed === undefined ? join(client, socket, options) : served(client, socket, options))
          .then(resolve, reject)
          .finally(() => socket.destroy());
      },
      abandon: leave,
    };
    client.once("close", leave);
    pending.add(entry);
  });
}

/** Pumps both directions with back-pressure until the shim's side ends or the client's side breaks. */
function join(client: Duplex, shim: Duplex, options: SpliceOptions): Promise<void> {
  const { streams, detachKeys, onDetach, started = Promise.resolve() } = options;
  return new Promise((resolve) => {
    const finish = () => resolve();
    client.once("close", finish).once("error", finish);
    shim.once("error", finish);
    shim.once("end", () => started.then(() => client.end(finish), finish));
    pump(shim, client);
    if (!streams.stdin) return;
    if (detachKeys === undefined || detachKeys.length === 0) pump(client, shim);
    else {
      pumpUntilDetached(client, shim, new DetachScanner(detachKeys), () => {
        onDetach?.();
        finish();
      });
    }
    client.once("end", () => shim.end());
  });
}

function pump(from: Duplex, to: Duplex): void {
  from.on("data", (chunk: Uint8Array) => forward(from, to, chunk));
  from.resume();
}

function forward(from: Duplex, to: Duplex, chunk: Uint8Array): void {
  if (to.writable && !to.write(chunk)) {
    from.pause();
    to.once("drain", () => from.resume());
  }
}

function pumpUntilDetached(from: Duplex, to: Duplex, scanner: DetachScanner, detach: () => void): void {
  from.on("data", (chunk: Uint8Array) => {
    const { pass, detached } = scanner.scan(chunk);
    if (pass.length > 0) forward(from, to, pass);
    if (detached) detach();
  });
  from.resume();
}
