/** Progress as lines that stay: for logs, pipes and people who want all of it. Source: moby/buildkit util/progress/progressui/printer.go. */
import type { StatusResponse, Vertex } from "../../../buildkit-api/protocol/messages.ts";
import type { BuildDisplay } from "./display.ts";
import { isCancel, type Step, Steps, seconds, statusText, type Told } from "./steps.ts";

export class PlainDisplay implements BuildDisplay {
  readonly steps = new Steps();
  private readonly write: (text: string) => void;
  /** Whose lines are being printed. */
  private current: Step | undefined;
  private readonly told: Told = {
    step: (step, before) => this.step(step, before),
    status: (step, status) => {
      if (status.completed) this.line(step, statusText(status));
    },
    line: (step, line) => this.line(step, line),
    warning: (step, { short }) => this.line(step, `WARN: ${Buffer.from(short).toString()}`),
  };

  constructor(write: (text: string) => void) {
    this.write = write;
  }

  show(message: StatusResponse): void {
    this.steps.add(message, this.told);
  }

  close(): void {}

  private step(step: Step, before: Vertex): void {
    const { started, completed, cached, error } = step.vertex;
    if (started && !before.started) this.turnTo(step);
    if (!completed || before.completed) return;
    if (step.open) this.line(step, step.open);
    if (isCancel(error)) this.line(step, "CANCELED");
    else if (error) this.line(step, `ERROR: ${error}`);
    else this.line(step, cached ? "CACHED" : `DONE ${seconds(started, completed).toFixed(1)}s`);
    this.current = undefined;
  }

  private line(step: Step, text: string): void {
    this.turnTo(step);
    this.write(`#${step.number} ${text}\n`);
  }

  private turnTo(step: Step): void {
    if (this.current === step) return;
    if (this.current) this.write(`#${this.current.number} ...\n`);
    this.write(`\n#${step.number} ${step.vertex.name}\n`);
    this.current = step;
  }
}
