/** What `cp` shows on a terminal: the bytes so far, updated in place, and a closing line. */
import type { Bytes } from "../../base/streams.ts";
import type { CliContext } from "../context.ts";
import { humanSize } from "../format/units.ts";

const updateMillis = 75;
const save = "\x1b7";
const restore = "\x1b8";
const eraseLine = "\x1b[2K";
const eraseTail = "\x1b[0K";
const hideCursor = "\x1b[?25l";
const showCursor = "\x1b[?25h";

export class CopyProgress {
  private readonly context: CliContext;
  private readonly header: string;
  private readonly quiet: boolean;
  private bytes = 0;

  constructor(context: CliContext, header: string, quiet: boolean) {
    this.context = context;
    this.header = header;
    this.quiet = quiet;
  }

  /** Counts what passes. */
  async *count(stream: Bytes): AsyncGenerator<Uint8Array> {
    for await (const chunk of stream) {
      this.bytes += chunk.length;
      yield chunk;
    }
  }

  /** Runs the copy with progress, then tells its size and where it went; also when it failed, as docker does. */
  async run(copy: () => Promise<void>, destination: string): Promise<void> {
    if (this.quiet) return copy();
    const { stderr } = this.context;
    const erase = stderr.isTerminal ? this.show() : () => {};
    try {
      await copy();
    } finally {
      erase();
      stderr.print(`Successfully copied ${humanSize(this.bytes, 3)} to ${destination}`);
    }
  }

  private show(): () => void {
    const { stderr } = this.context;
    stderr.write(`${save}Preparing to copy...${hideCursor}${restore}${eraseLine}${this.header}${humanSize(0, 3)}`);
    let last = 0;
    const timer = setInterval(() => {
      if (this.bytes === last) return;
      last = this.bytes;
      stderr.write(`\x1b[${this.header.length + 1}G${eraseTail}${humanSize(last, 3)}`);
    }, updateMillis);
    return () => {
      clearInterval(timer);
      stderr.write(`${showCursor}${restore}${eraseLine}`);
    };
  }
}
