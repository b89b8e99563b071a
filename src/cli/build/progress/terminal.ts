/** Progress on a terminal: the steps with their times and the last lines of those that run, drawn again in place. */
import type { StatusResponse } from "../../../buildkit-api/protocol/messages.ts";
import type { BuildDisplay, DisplayOutput } from "./display.ts";
import { isCancel, isFailure, type Step, Steps, seconds, statusText } from "./steps.ts";

const drawMillis = 100;

/** So many lines of a running step's output are shown. */
const shownLines = 6;

const colours = { done: "\x1b[34m", failed: "\x1b[31m", canceled: "\x1b[33m", none: "\x1b[0m" } as const;

export class TerminalDisplay implements BuildDisplay {
  readonly steps = new Steps();
  private readonly output: DisplayOutput;
  private readonly began = Date.now();
  private readonly timer: ReturnType<typeof setInterval>;
  /** Lines on the screen, to be drawn over. */
  private drawn = 0;

  constructor(output: DisplayOutput) {
    this.output = output;
    this.timer = setInterval(() => this.draw(), drawMillis);
  }

  show(message: StatusResponse): void {
    this.steps.add(message);
  }

  close(): void {
    clearInterval(this.timer);
    this.draw(true);
  }

  private draw(last = false): void {
    const size = this.output.size();
    // Terminals that nobody looks at have no size.
    const [columns, rows] = [size?.columns || 80, size?.rows || 25];
    const lines = this.lines(columns, last);
    const room = Math.max(2, rows - 2);
    const shown = last || lines.length <= room ? lines : [lines[0] as string, ...lines.slice(1 - room)];
    const up = this.drawn > 0 ? `\x1b[${this.drawn}A` : "";
    // What was longer the last time is wiped.
    this.output.write(`${up}${shown.map((line) => `\x1b[2K${line}\n`).join("")}\x1b[J`);
    this.drawn = shown.length;
  }

  private lines(columns: number, last: boolean): string[] {
    const steps = [...this.steps.byDigest.values()].filter(({ vertex }) => vertex.started);
    const done = steps.filter(({ vertex }) => vertex.completed).length;
    const isOver = last && done === steps.length;
    const state = isOver ? " FINISHED" : "";
    const time = ((Date.now() - this.began) / 1000).toFixed(1);
    return [
      `[+] Building ${time}s (${done}/${this.steps.byDigest.size})${state}`,
      ...steps.flatMap((step) => this.stepLines(step, columns, last)),
    ];
  }

  private stepLines(step: Step, columns: number, last: boolean): string[] {
    const { vertex, statuses } = step;
    const end = vertex.completed ?? nowStamp();
    const mark = isFailure(vertex) ? "ERROR " : isCancel(vertex.error) ? "CANCELED " : vertex.cached ? "CACHED " : "";
    const colour = isFailure(vertex)
      ? colours.failed
      : isCancel(vertex.error)
        ? colours.canceled
        : vertex.completed
          ? colours.done
          : "";
    const time = `${seconds(vertex.started, end).toFixed(1)}s`;
    const head = ` => ${mark}${vertex.name}`;
    const lines = [paint(aligned(head, time, columns), colour)];
    for (const status of statuses.values()) {
      const took = `${seconds(status.started, status.completed ?? nowStamp()).toFixed(1)}s`;
      const text = statusText(status)
        .replace(/ [\d.]+s(?= done$|$)/, "")
        .replace(/ done$/, "");
      lines.push(paint(aligned(` => => ${text}`, took, columns), status.completed ? colours.done : ""));
    }
    if (!vertex.completed && !last) {
      for (const line of step.lines.slice(-shownLines))
        lines.push(` => => # ${line.replace(/^\S+ /, "")}`.slice(0, columns));
    }
    return lines;
  }
}

function aligned(text: string, time: string, columns: number): string {
  const room = Math.max(10, columns - time.length - 1);
  const cut = text.length > room ? `${text.slice(0, room - 3)}...` : text;
  return `${cut.padEnd(room)} ${time}`;
}

function paint(text: string, colour: string): string {
  return colour === "" ? text : `${colour}${text}${colours.none}`;
}

function nowStamp() {
  const millis = Date.now();
  return { seconds: Math.floor(millis / 1000), nanos: (millis % 1000) * 1e6 };
}
