/** A failed start in Docker's words: which message, which exit code, and whether the request or the daemon is to blame. */
import { EngineError } from "../../../base/errors.ts";

/** `exitCode` is what the container's state shows: 127 not found, 126 not executable, 128 anything else. */
export class StartError extends EngineError {
  readonly exitCode: number;

  constructor(message: string, exitCode: number, cause: unknown) {
    super(exitCode === 128 ? "internal" : "invalid-argument", message, { cause });
    this.exitCode = exitCode;
  }
}

/** `text` is what the OCI runtime printed; `command` the first word of the command line. */
export function translateStartError(text: string, command: string, cause?: unknown): StartError {
  const { message, exitCode } = explain(text.trim(), command);
  // Clients look for Docker's words, runc's name included, whichever runtime it was.
  const prefix =
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: ";
  return new StartError(`${prefix}${message}`, exitCode, cause);
}

/** An exec that could not start, as `docker exec` reports it. */
export function translateExecError(text: string, command: string, cause?: unknown): StartError {
  const { message, exitCode } = explain(text.trim(), command);
  return new StartError(`OCI runtime exec failed: exec failed: ${message}`, exitCode, cause);
}

function explain(text: string, command: string): { message: string; exitCode: number } {
  const start = (reason: string) => `unable to start container process: exec: ${JSON.stringify(command)}: ${reason}`;
  if (/executable file .* not found in \$PATH|executable file not found/i.test(text)) {
    const reason = command.includes("/")
      ? `stat ${command}: no such file or directory`
      : "executable file not found in $PATH";
    return { message: start(reason), exitCode: 127 };
  }
  if (/open executable.*no such file|exec(?:ve)?\b.*no such file or directory/i.test(text)) {
    return { message: start("no such file or directory"), exitCode: 127 };
  }
  const directory = /chdir `([^`]*)`: no such file/i.exec(text)?.[1];
  if (directory !== undefined) {
    if (!directory.startsWith("/")) return { message: "Cwd must be an absolute path", exitCode: 128 };
    const reason = `chdir to cwd (${JSON.stringify(directory)}) set in config.json failed: no such file or directory`;
    return { message: `unable to start container process: ${reason}`, exitCode: 127 };
  }
  if (/is a directory/i.test(text)) return { message: start("is a directory"), exitCode: 126 };
  if (/(?:executable|exec).*(?:permission denied|operation not permitted)|is not executable/i.test(text)) {
    return { message: start("permission denied"), exitCode: 126 };
  }
  if (/exec format error/i.test(text)) return { message: start("exec format error"), exitCode: 126 };
  return { message: text === "" ? "the OCI runtime failed without a message" : text, exitCode: 128 };
}
