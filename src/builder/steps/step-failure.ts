import { EngineError } from "../../base/errors.ts";

/** A command of a build that failed; clients get its exit code beside the message. */
export class StepFailure extends EngineError {
  readonly command: readonly string[];
  readonly exitCode: number;

  constructor(command: readonly string[], exitCode: number) {
    super("internal", `The command '${command.join(" ")}' returned a non-zero code: ${exitCode}`);
    this.command = command;
    this.exitCode = exitCode;
  }
}
