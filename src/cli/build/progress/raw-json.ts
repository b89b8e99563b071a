/** Progress for programs: each message of the daemon's as a line of JSON. Source: moby/buildkit client/graph.go, SolveStatus. */
import type { StatusResponse, Timestamp } from "../../../buildkit-api/protocol/messages.ts";
import type { BuildDisplay } from "./display.ts";
import { Steps } from "./steps.ts";

export class RawJsonDisplay implements BuildDisplay {
  readonly steps = new Steps();
  private readonly write: (text: string) => void;

  constructor(write: (text: string) => void) {
    this.write = write;
  }

  show(message: StatusResponse): void {
    this.steps.add(message);
    this.write(`${JSON.stringify(toJson(message))}\n`);
  }

  close(): void {}
}

function toJson({ vertexes = [], statuses = [], logs = [], warnings = [] }: StatusResponse) {
  return {
    ...some("vertexes", vertexes, ({ digest, inputs = [], name, started, completed, cached, error }) => ({
      digest,
      ...some("inputs", inputs, (input) => input),
      name,
      ...time("started", started),
      ...time("completed", completed),
      ...(cached && { cached }),
      ...(error && { error }),
    })),
    ...some("statuses", statuses, ({ ID, vertex, name, total, current, timestamp, started, completed }) => ({
      id: ID,
      vertex,
      ...(name && { name }),
      ...(total && { total }),
      current,
      ...time("timestamp", timestamp),
      ...time("started", started),
      ...time("completed", completed),
    })),
    ...some("logs", logs, ({ vertex, stream, msg, timestamp }) => ({
      vertex,
      stream,
      data: base64(msg),
      ...time("timestamp", timestamp),
    })),
    ...some("warnings", warnings, ({ vertex, level, short, detail, url, info, ranges }) => ({
      vertex,
      level,
      short: base64(short),
      detail: detail.map(base64),
      url,
      sourceInfo: { filename: info.filename, data: base64(info.data), language: info.language },
      range: ranges.map(({ start, end }) => ({ start: { line: start.line }, end: { line: end.line } })),
    })),
  };
}

/** Lists without items are left out. */
function some<T>(name: string, items: readonly T[], map: (item: T) => unknown): Record<string, unknown> {
  return items.length === 0 ? {} : { [name]: items.map(map) };
}

function time(name: string, stamp: Timestamp | null | undefined): Record<string, string> {
  if (!stamp) return {};
  const text = new Date(stamp.seconds * 1000).toISOString().slice(0, 19);
  return { [name]: `${text}.${String(stamp.nanos).padStart(9, "0")}Z` };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
