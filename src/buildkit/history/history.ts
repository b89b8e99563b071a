/**
 * What was built, with its logs: `docker buildx history`. Ended builds are rows, their logs files; a log is written before its row, and
 * start-up removes what has only one of the two. Those that a killed daemon was at leave no trace.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorMessage, notFound } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import {
  type BuildHistoryEvent,
  type BuildHistoryRecord,
  type BuildHistoryRequest,
  buildFiles,
  buildHistoryRecord,
  historyEvents,
  type StatusResponse,
} from "../../buildkit-api/protocol/messages.ts";
import type { Database } from "../../metadata/database.ts";
import { digestOf, hexOf } from "../../oci/digest.ts";
import { historyFilter } from "./filter.ts";
import { type EndedBuild, namesContent } from "./record.ts";

/** As BuildKit: so many are kept, and so long; but for those that are pinned. */
const maxRecords = 50;
const maxAgeMillis = 48 * 3600_000;

type Listener = (event: BuildHistoryEvent) => void;

export interface HistoryOptions {
  database: Database;
  /** This object's alone. */
  directory: string;
  log: Pick<Logger, "warn">;
}

export class BuildHistory {
  private readonly options: HistoryOptions;
  private readonly running = new Map<string, BuildHistoryRecord>();
  private readonly listeners = new Set<Listener>();

  constructor(options: HistoryOptions) {
    this.options = options;
  }

  /** Call once, before the first build. */
  reconcile(): void {
    const { directory } = this.options;
    const logs = new Set(existsSync(directory) ? readdirSync(directory) : []);
    for (const { Ref } of this.ended()) if (!logs.delete(logName(Ref))) this.forget(Ref);
    for (const stray of logs) rmSync(join(directory, stray), { force: true });
  }

  /** `record` is read again whenever somebody asks: it may change until the build ends. */
  start(record: BuildHistoryRecord): void {
    this.running.set(record.Ref, record);
    this.tell(historyEvents.started, record);
  }

  /** The build has ended. That it cannot be written down is no error of the build's. */
  end(build: EndedBuild): void {
    const { record } = build;
    this.running.delete(record.Ref);
    try {
      this.write(build);
    } catch (error) {
      // What was written already goes with the next start.
      this.options.log.warn("a build cannot be kept in the history", { ref: record.Ref, error: errorMessage(error) });
    }
    this.tell(historyEvents.complete, record);
  }

  private write({ record, messages, contents }: EndedBuild): void {
    const { database, directory } = this.options;
    const { Ref } = record;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(join(directory, logName(Ref)), buildFiles.encode({ messages: [...messages], contents }), {
      mode: 0o600,
    });
    const row = [Ref, Date.now(), buildHistoryRecord.encode(record)] as const;
    database.run("INSERT OR REPLACE INTO build_history VALUES (?, ?, ?)", ...row);
    this.prune();
  }

  /** Throws `not-found`. */
  remove(ref: string): void {
    const record = this.find(ref);
    this.forget(ref);
    this.tell(historyEvents.deleted, record);
  }

  /** Whether it stays when others go. Throws `not-found`. */
  pin(ref: string, pinned: boolean): void {
    const record = { ...this.find(ref), pinned };
    this.options.database.run(
      "UPDATE build_history SET record = ? WHERE ref = ?",
      buildHistoryRecord.encode(record),
      ref,
    );
  }

  /** All that an ended build said; undefined: it is not known, or has not ended. */
  log(ref: string): StatusResponse[] | undefined {
    return this.files(ref)?.messages;
  }

  /** What a record names by digest. Throws `not-found`. */
  content(digest: string): Uint8Array {
    const record = this.ended().find((one) => namesContent(one, digest));
    const found = record && this.files(record.Ref)?.contents.find((bytes) => digestOf(bytes) === digest);
    if (!found) throw notFound(`content ${digest}: not found`);
    return found;
  }

  private files(ref: string) {
    const path = join(this.options.directory, logName(ref));
    return existsSync(path) ? buildFiles.decode(readFileSync(path)) : undefined;
  }

  /** What is and was, the oldest first; then, unless the request ends early, what happens. */
  async *listen(request: BuildHistoryRequest, signal: AbortSignal): AsyncGenerator<BuildHistoryEvent> {
    const passes = historyFilter(request.Filter);
    const isWanted = (record: BuildHistoryRecord) =>
      (request.Ref === "" || record.Ref === request.Ref) && passes(record);
    const waiting: BuildHistoryEvent[] = [];
    let wake = () => {};
    const listener = (event: BuildHistoryEvent) => {
      waiting.push(event);
      wake();
    };
    const aborted = () => wake();
    this.listeners.add(listener);
    signal.addEventListener("abort", aborted, { once: true });
    try {
      yield* this.known(request, isWanted);
      while (!request.EarlyExit && !signal.aborted) {
        const event = waiting.shift();
        if (!event) await new Promise<void>((resolve) => (wake = resolve));
        else if (isWanted(event.record)) yield event;
      }
    } finally {
      this.listeners.delete(listener);
      signal.removeEventListener("abort", aborted);
    }
  }

  private known(
    { ActiveOnly, Limit }: BuildHistoryRequest,
    isWanted: (record: BuildHistoryRecord) => boolean,
  ): BuildHistoryEvent[] {
    const ended = ActiveOnly ? [] : this.ended();
    const all = [
      ...ended.map((record) => ({ type: historyEvents.complete, record })),
      ...this.running.values().map((record) => ({ type: historyEvents.started, record })),
    ].filter(({ record }) => isWanted(record));
    return Limit > 0 ? all.slice(-Limit) : all;
  }

  /** The oldest first. */
  private ended(): BuildHistoryRecord[] {
    return this.options.database
      .all<{ record: Uint8Array }>("SELECT record FROM build_history ORDER BY completed, rowid")
      .map(({ record }) => buildHistoryRecord.decode(record));
  }

  private find(ref: string): BuildHistoryRecord {
    const row = this.options.database.get<{ record: Uint8Array }>(
      "SELECT record FROM build_history WHERE ref = ?",
      ref,
    );
    if (!row) throw notFound(`no build ${ref} is in the history`);
    return buildHistoryRecord.decode(row.record);
  }

  private prune(): void {
    const { database } = this.options;
    const rows = database.all<{ ref: string; completed: number; record: Uint8Array }>(
      `SELECT * FROM build_history WHERE completed < ?
       UNION SELECT * FROM (SELECT * FROM build_history ORDER BY completed DESC, rowid DESC LIMIT -1 OFFSET ${maxRecords})`,
      Date.now() - maxAgeMillis,
    );
    for (const { ref, record } of rows) if (!buildHistoryRecord.decode(record).pinned) this.forget(ref);
  }

  private forget(ref: string): void {
    const { database, directory } = this.options;
    database.run("DELETE FROM build_history WHERE ref = ?", ref);
    rmSync(join(directory, logName(ref)), { force: true });
  }

  private tell(type: number, record: BuildHistoryRecord): void {
    for (const listener of this.listeners) listener({ type, record: { ...record } });
  }
}

/** Clients choose references as they like. */
function logName(ref: string): string {
  return hexOf(digestOf(Buffer.from(ref)));
}
