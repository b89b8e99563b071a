/** How a build's progress is shown: `--progress`. */
import type { StatusResponse } from "../../../buildkit-api/protocol/messages.ts";
import { CliError } from "../../command.ts";
import { PlainDisplay } from "./plain.ts";
import { RawJsonDisplay } from "./raw-json.ts";
import { Steps } from "./steps.ts";
import { TerminalDisplay } from "./terminal.ts";

export interface BuildDisplay {
  readonly steps: Steps;
  show(message: StatusResponse): void;
  /** After the last message. */
  close(): void;
}

export interface DisplayOutput {
  write(text: string): void;
  /** Undefined: it is no terminal. */
  size(): { columns: number; rows: number } | undefined;
}

/** Throws a CliError for a kind that is not known, and for `tty` where there is no terminal. */
export function openDisplay(kind: string, output: DisplayOutput): BuildDisplay {
  const size = output.size();
  switch (kind) {
    case "quiet":
      return new QuietDisplay();
    case "plain":
      return new PlainDisplay((text) => output.write(text));
    case "rawjson":
      return new RawJsonDisplay((text) => output.write(text));
    case "tty":
      if (!size) throw new CliError("failed to get console: provided file is not a console");
      return new TerminalDisplay(output);
    case "auto":
    case "":
      return openDisplay(size ? "tty" : "plain", output);
    default:
      throw new CliError(`invalid progress mode ${kind}`);
  }
}

class QuietDisplay implements BuildDisplay {
  readonly steps = new Steps();

  show(message: StatusResponse): void {
    this.steps.add(message);
  }

  close(): void {}
}
