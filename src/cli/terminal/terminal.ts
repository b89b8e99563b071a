/**
 * Standard input and output of the CLI. Plain file descriptors rather than process.stdout: loading Node's stream and tty modules costs
 * as much as a whole `ps`.
 */
import { constants, fstatSync, openSync, writeSync, writev, writevSync } from "node:fs";
import { errorCode } from "../../base/errors.ts";

/** One of stdout and stderr. */
export class Output {
  readonly fd: number;
  private terminal: boolean | undefined;
  private direct: number | undefined;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Writes all of it before returning: for messages and tables. A closed pipe ends the program, as SIGPIPE would. */
  write(text: string | Uint8Array): void {
    let rest = typeof text === "string" ? Buffer.from(text) : text;
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(this.fd, rest));
      } catch (error) {
        this.handle(error);
        Bun.sleepSync(1);
      }
    }
  }

  print(line: string): void {
    this.write(`${line}\n`);
  }

  /**
   * Writes pieces of a stream; resolves when all is written. Never stops the event loop: what cannot be written at once waits in a thread.
   */
  async send(...pieces: Uint8Array[]): Promise<void> {
    this.direct ??= directDescriptor(this.fd, this.isTerminal);
    let rest = pieces;
    let full = false;
    while (rest.length > 0) {
      try {
        const inThread = full || this.direct < 0;
        const written = inThread ? await this.writeInThread(rest) : writevSync(this.direct, rest);
        rest = withoutFirst(rest, written);
        full = false;
      } catch (error) {
        this.handle(error);
        // In the thread too: the shared descriptor does not block, so there is nothing to wait on.
        if (full || this.direct < 0) await Bun.sleep(1);
        full = true;
      }
    }
  }

  get isTerminal(): boolean {
    this.terminal ??= isTerminal(this.fd);
    return this.terminal;
  }

  /** Columns and rows; undefined when this is no terminal. */
  size(): { columns: number; rows: number } | undefined {
    if (!this.isTerminal) return undefined;
    const { terminalSize } = require("./terminal-modes.ts") as typeof import("./terminal-modes.ts");
    return terminalSize(this.fd);
  }

  private writeInThread(pieces: Uint8Array[]): Promise<number> {
    return new Promise((resolve, reject) => {
      writev(this.fd, pieces, (error, written) => {
        if (error) reject(error);
        else resolve(written);
      });
    });
  }

  /** Returns when the write should be tried again. */
  private handle(error: unknown): void {
    const code = errorCode(error);
    // The descriptor may have been made non-blocking by another program that shares it.
    if (code === "EAGAIN") return;
    // 128 + SIGPIPE, what a shell reports for a program that wrote into a closed pipe.
    if (code === "EPIPE") process.exit(141);
    throw error;
  }
}

export class Input {
  readonly fd = 0;
  private terminal: boolean | undefined;

  get isTerminal(): boolean {
    this.terminal ??= isTerminal(this.fd);
    return this.terminal;
  }

  /** The bytes of standard input. May be taken once. */
  stream(): ReadableStream<Uint8Array> {
    return Bun.stdin.stream() as unknown as ReadableStream<Uint8Array>;
  }

  /** Switches the terminal to raw mode (no echo, no line editing, no signals); returns what switches it back. */
  makeRaw(): () => void {
    const { makeRaw } = require("./terminal-modes.ts") as typeof import("./terminal-modes.ts");
    const restore = makeRaw(this.fd);
    process.once("exit", restore);
    return restore;
  }

  /** One line, without its newline; undefined at the end of input. */
  async line(): Promise<string | undefined> {
    let text = "";
    for await (const chunk of this.stream()) {
      text += new TextDecoder().decode(chunk);
      if (text.includes("\n")) break;
    }
    return text === "" ? undefined : (text.split("\n")[0] ?? "").replace(/\r$/, "");
  }
}

/**
 * A descriptor for writes that cannot stop this process: the one given where it is a file or /dev/null; for a pipe one of our own that does
 * not block (opening anew leaves the mode of the shared one alone). -1 for anything else.
 */
function directDescriptor(fd: number, terminal: boolean): number {
  try {
    const stat = fstatSync(fd);
    if (stat.isFile() || (stat.isCharacterDevice() && !terminal)) return fd;
    if (stat.isFIFO()) return openSync(`/dev/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    // A pipe of another user, or no /dev/fd: threads do it.
  }
  return -1;
}

function withoutFirst(pieces: Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  for (const [index, piece] of pieces.entries()) {
    if (left < piece.length) return [piece.subarray(left), ...pieces.slice(index + 1)];
    left -= piece.length;
  }
  return [];
}

/** Character devices that are terminals: pseudo-terminals (136-143), consoles and serial lines (4), /dev/tty (5), hvc (229), ttyAMA (204). */
const terminalMajors = new Set([4, 5, 136, 137, 138, 139, 140, 141, 142, 143, 204, 229]);

function isTerminal(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    const major = Math.floor(stat.rdev / 256) & 0xfff;
    return stat.isCharacterDevice() && terminalMajors.has(major);
  } catch {
    return false;
  }
}
