/** `docker logs`: entries of a log file as Docker streams them, with tail, times, details and following. */
import { watch } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { frame } from "../../../api/stdcopy.ts";
import type { Bytes } from "../../../base/streams.ts";
import { type LogEnd, type LogEntry, type LogTail, openLog, parseEntries, windowPosition } from "./log-file.ts";

export interface LogQuery {
  stdout: boolean;
  stderr: boolean;
  timestamps: boolean;
  details: boolean;
  since?: bigint | undefined;
  until?: bigint | undefined;
  tail?: number | undefined;
  /** Follow until this resolves (the container ended) or the signal aborts; undefined: do not follow. */
  followUntil?: Promise<unknown> | undefined;
  /** Read only up to here: where a live stream goes on. */
  end?: LogEnd | undefined;
  multiplexed: boolean;
  signal: AbortSignal;
}

/** The log's bytes, framed as stdcopy when `multiplexed`. Ends at the end of the file, or of the container when following. */
export async function* readLogs(path: string, query: LogQuery): Bytes & AsyncGenerator<Uint8Array> {
  const render = (text: string) => renderEntries(parseEntries(text), query);
  const { older, current } = await openLog(path, query);
  for (const text of older) {
    const { bytes, done } = render(text);
    if (bytes.length > 0) yield bytes;
    if (done) return void (await current?.close());
  }
  const source = query.followUntil ? follow(path, current, query) : drain(current);
  for await (const text of source) {
    if (query.signal.aborted) return;
    const { bytes, done } = render(text);
    if (bytes.length > 0) yield bytes;
    if (done) return;
  }
}

async function* drain(current: LogTail | undefined): AsyncGenerator<string> {
  if (!current) return;
  try {
    for (let text = await current.next(); text !== undefined; text = await current.next()) yield text;
  } finally {
    await current.close();
  }
}

/** Reads on as the file grows; when the shim rotates it, finishes the old one and goes on with the new. */
async function* follow(path: string, opened: LogTail | undefined, query: LogQuery): AsyncGenerator<string> {
  let current = opened;
  const changes = new ChangeSignal(path, query.signal);
  let ended = false;
  query.followUntil?.then(() => {
    ended = true;
    changes.wake();
  });
  try {
    for (;;) {
      const last = ended; // Read before the file: what was logged before the end is then read in this round.
      current ??= (await openLog(path, {})).current;
      for (let text = await current?.next(); text !== undefined; text = await current?.next()) yield text;
      if (current && (await wasRotated(path, current))) {
        for (let text = await current.next(); text !== undefined; text = await current.next()) yield text;
        await current.close();
        current = (await openLog(path, { tail: undefined })).current;
        continue;
      }
      if (last || query.signal.aborted) return;
      await changes.next();
    }
  } finally {
    changes.close();
    await current?.close();
  }
}

async function wasRotated(path: string, current: LogTail): Promise<boolean> {
  const now = await stat(path).catch(() => undefined);
  return now !== undefined && now.ino !== (await current.inode());
}

/** Wakes its one waiter when something in the log's directory changes, or when told to. */
class ChangeSignal {
  private changed = false;
  private resolve: (() => void) | undefined;
  private readonly watcher: ReturnType<typeof watch>;
  private readonly signal: AbortSignal;
  readonly wake = () => {
    this.changed = true;
    this.resolve?.();
  };

  constructor(path: string, signal: AbortSignal) {
    this.watcher = watch(dirname(path), this.wake);
    this.signal = signal;
    signal.addEventListener("abort", this.wake);
  }

  /** Waits for the next change since the last call. The timer covers file systems on which watching misses something. */
  async next(): Promise<void> {
    if (!this.changed && !this.signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.resolve = resolve;
      const timer = setTimeout(resolve, 1000);
      await promise;
      clearTimeout(timer);
      this.resolve = undefined;
    }
    this.changed = false;
  }

  close(): void {
    this.watcher.close();
    this.signal.removeEventListener("abort", this.wake);
  }
}

function renderEntries(entries: LogEntry[], query: LogQuery): { bytes: Uint8Array; done: boolean } {
  const chunks: Uint8Array[] = [];
  for (const entry of entries) {
    const position = windowPosition(entry, query);
    if (position === "after") return { bytes: Buffer.concat(chunks), done: true };
    if (position === "before" || !query[entry.stream]) continue;
    const bytes = Buffer.from(prefix(entry, query) + entry.log);
    chunks.push(query.multiplexed ? frame(entry.stream, bytes) : bytes);
  }
  return { bytes: Buffer.concat(chunks), done: false };
}

function prefix(entry: LogEntry, { timestamps, details }: LogQuery): string {
  const time = timestamps ? `${entry.time} ` : "";
  if (!details) return time;
  const attrs = Object.entries(entry.attrs ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${time}${attrs.map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join(",")} `;
}
