/** A build's steps as its daemon tells of them: what both displays are made from. */
import type {
  StatusResponse,
  Timestamp,
  Vertex,
  VertexLog,
  VertexStatus,
  VertexWarning,
} from "../../../buildkit-api/protocol/messages.ts";
import { humanSize } from "../../format/units.ts";

export interface Step {
  /** In the order in which steps are first told of, from 1. */
  readonly number: number;
  vertex: Vertex;
  /** Counts below the step, by their ids. */
  readonly statuses: Map<string, VertexStatus>;
  /** The last lines of its output, with their times in seconds since the step began. */
  readonly lines: string[];
  /** A line that has not ended yet. */
  open: string;
}

/** So many lines of a step are kept, for the end of one that fails. */
const keptLines = 100;

export class Steps {
  readonly byDigest = new Map<string, Step>();
  readonly warnings: VertexWarning[] = [];

  /** Takes in what is new; `told` hears of it, step by step. */
  add(message: StatusResponse, told: Told = {}): void {
    for (const vertex of message.vertexes ?? []) {
      const step = this.step(vertex);
      const before = step.vertex;
      step.vertex = vertex;
      told.step?.(step, before);
    }
    for (const status of message.statuses ?? []) {
      const step = this.byDigest.get(status.vertex);
      if (!step) continue;
      step.statuses.set(status.ID, status);
      told.status?.(step, status);
    }
    for (const log of message.logs ?? []) {
      const step = this.byDigest.get(log.vertex);
      if (step) for (const line of addLog(step, log)) told.line?.(step, line);
    }
    for (const warning of message.warnings ?? []) {
      this.warnings.push(warning);
      const step = this.byDigest.get(warning.vertex);
      if (step) told.warning?.(step, warning);
    }
  }

  /** The step that failed by itself: others are only canceled with it. */
  failed(): Step | undefined {
    return [...this.byDigest.values()].find(({ vertex }) => isFailure(vertex));
  }

  private step(vertex: Vertex): Step {
    const known = this.byDigest.get(vertex.digest);
    if (known) return known;
    const step = {
      number: this.byDigest.size + 1,
      vertex: { digest: vertex.digest, name: vertex.name },
      statuses: new Map(),
      lines: [],
      open: "",
    };
    this.byDigest.set(vertex.digest, step);
    return step;
  }
}

export interface Told {
  step?(step: Step, before: Vertex): void;
  status?(step: Step, status: VertexStatus): void;
  line?(step: Step, line: string): void;
  warning?(step: Step, warning: VertexWarning): void;
}

export function isFailure({ error }: Vertex): boolean {
  return Boolean(error) && !isCancel(error);
}

export function isCancel(error: string | undefined): boolean {
  return /context canceled$/.test(error ?? "");
}

export function seconds(from: Timestamp | null | undefined, to: Timestamp): number {
  return from ? Math.max(0, to.seconds - from.seconds + (to.nanos - from.nanos) / 1e9) : 0;
}

/** `transferring context: 86B done`, `0B / 1.5MB 0.3s` */
export function statusText({ ID, name, current, total, started, completed, timestamp }: VertexStatus): string {
  const size = (bytes: number) => humanSize(bytes).replace(/ /g, "");
  const counts = total ? `${size(current)} / ${size(total)}` : current ? size(current) : "";
  const label = counts && !ID.endsWith(":") && name && name !== ID ? `${name} ${ID}` : ID;
  const time = seconds(started, completed ?? timestamp);
  return [label, counts, time >= 0.1 ? `${time.toFixed(1)}s` : "", completed ? "done" : ""].filter(Boolean).join(" ");
}

/** The lines that a piece of output ends. */
function addLog(step: Step, { msg, timestamp }: VertexLog): string[] {
  const parts = (step.open + Buffer.from(msg).toString()).split("\n");
  step.open = parts.pop() ?? "";
  const time = seconds(step.vertex.started, timestamp);
  const stamp = time.toFixed(time < 10 ? 3 : time < 100 ? 2 : 1);
  const lines = parts.map((text) => `${stamp} ${text.replace(/\r$/, "").replace(/^.*\r/, "")}`);
  step.lines.push(...lines);
  step.lines.splice(0, step.lines.length - keptLines);
  return lines;
}
