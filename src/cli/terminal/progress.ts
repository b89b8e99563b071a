/** JSON progress streams (load, import, pull, push) as docker shows them: bars that update in place on a terminal, plain lines elsewhere. */
import type { ProgressMessage } from "../../api/system.ts";
import { type Bytes, lines } from "../../base/streams.ts";
import { CliError } from "../command.ts";
import { humanSize } from "../format/units.ts";

/** Where the stream is shown. `columns` is undefined when it is no terminal. */
export interface ProgressTarget {
  write(text: string): void;
  columns: number | undefined;
}

interface ShownMessage extends ProgressMessage {
  time?: number;
  timeNano?: number;
  from?: string;
  progressDetail?: { current?: number; total?: number; units?: string; start?: number; hidecounts?: boolean };
}

/** Shows every message up to the end of the stream. Throws a CliError with the message of an error in the stream. */
export async function showProgress(
  stream: Bytes,
  target: ProgressTarget,
  onAux: (aux: unknown) => void = () => {},
): Promise<void> {
  const display = new ProgressDisplay(target);
  for await (const line of lines(stream)) {
    if (line.trim() === "") continue;
    const message = JSON.parse(line) as ShownMessage;
    if (message.aux !== undefined && message.aux !== null) onAux(message.aux);
    else display.show(message);
  }
}

/** Target that shows nothing (`--quiet`): errors still end the command. */
export const silent: ProgressTarget = { write: () => {}, columns: undefined };

class ProgressDisplay {
  private readonly target: ProgressTarget;
  /** The ids whose lines are on the screen, in order. */
  private ids: string[] = [];

  constructor(target: ProgressTarget) {
    this.target = target;
  }

  show(message: ShownMessage): void {
    const { id = "", progressDetail, progress } = message;
    const isTerminal = this.target.columns !== undefined;
    const bar = progressDetail === undefined ? undefined : progressText(progressDetail, this.target.columns ?? 200);
    let up = 0;
    if (id !== "" && (bar !== undefined || (progress ?? "") !== "")) {
      if (!this.ids.includes(id)) {
        this.ids.push(id);
        if (isTerminal) this.target.write("\n");
      }
      up = this.ids.length - this.ids.indexOf(id);
      if (isTerminal) this.move(up, "A");
    } else {
      // A line that no id accounts for: what is above it can no longer be reached by counting.
      this.ids = [];
    }
    this.display(message, bar, isTerminal);
    if (id !== "" && isTerminal) this.move(up, "B");
  }

  private move(count: number, direction: "A" | "B"): void {
    if (count > 0) this.target.write(`\x1b[${count}${direction}`);
  }

  private display(message: ShownMessage, bar: string | undefined, isTerminal: boolean): void {
    const { id = "", from = "", status = "", stream = "", progress = "" } = message;
    const failure = message.errorDetail?.message ?? message.error;
    // A step of a build that failed hands its exit code on.
    if (failure !== undefined && failure !== "") throw new CliError(failure, message.errorDetail?.code || 1);
    const updates = isTerminal && stream === "" && bar !== undefined;
    if (!updates && bar !== undefined && bar !== "") return;
    const end = updates ? "\r" : "";
    let text = updates ? "\x1b[2K\r" : "";
    if (id !== "") text += `${id}: `;
    if (from !== "") text += `(from ${from}) `;
    if (bar !== undefined && isTerminal) text += `${status} ${bar}${end}`;
    else if (progress !== "") text += `${status} ${progress}${end}`;
    else if (stream !== "") text += `${stream}${end}`;
    else text += `${status}${end}\n`;
    this.target.write(text);
  }
}

/** `[=====>      ]  1.2MB/3.4MB`; empty when nothing is known. The bar needs more than 110 columns. */
export function progressText(
  detail: NonNullable<ShownMessage["progressDetail"]>,
  columns: number,
  now = Date.now(),
): string {
  const { current = 0, total = 0, units = "", start = 0, hidecounts = false } = detail;
  if (current <= 0 && total <= 0) return "";
  const size = (bytes: number) => humanSize(bytes).padStart(8);
  if (total <= 0) return units === "" ? size(current) : `${current} ${units}`;
  const filled = Math.min(50, Math.trunc(Math.trunc((current / total) * 100) / 2));
  const bar = columns > 110 ? `[${"=".repeat(filled)}>${" ".repeat(50 - filled)}] ` : "";
  let counts = "";
  if (!hidecounts && units === "") counts = current > total ? size(current) : `${size(current)}/${humanSize(total)}`;
  else if (!hidecounts) counts = current > total ? `${current} ${units}` : `${current}/${total} ${units}`;
  let left = "";
  if (current > 0 && start > 0 && filled < 50 && columns > 50) {
    const seconds = Math.trunc((((now / 1000 - start) / current) * (total - current)) / 1);
    left = ` ${goSeconds(seconds)}`;
  }
  return bar + counts + left;
}

function goSeconds(seconds: number): string {
  const [hours, minutes] = [Math.trunc(seconds / 3600), Math.trunc((seconds % 3600) / 60)];
  if (hours > 0) return `${hours}h${minutes}m${seconds % 60}s`;
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}
