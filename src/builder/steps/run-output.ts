/** Receives the framed output of a step's container and passes it on as text. */
import { Duplex } from "node:stream";
import { frameHeaderSize } from "../../api/stdcopy.ts";

/** A program of another processor's: crun says so in its own form, where the program's output is expected. */
const foreignProgram = /^\{"msg":"exec container process `(.*)`: Exec format error",.*\}$/m;

export class RunOutput extends Duplex {
  private readonly decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  private readonly say: (stream: "stdout" | "stderr", text: string) => void;
  private rest: Buffer = Buffer.alloc(0);

  constructor(say: (stream: "stdout" | "stderr", text: string) => void) {
    super({ allowHalfOpen: true });
    this.say = say;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    while (this.rest.length >= frameHeaderSize) {
      const end = frameHeaderSize + this.rest.readUInt32BE(4);
      if (this.rest.length < end) break;
      const stream = this.rest[0] === 2 ? "stderr" : "stdout";
      const text = this.decoders[stream].decode(this.rest.subarray(frameHeaderSize, end), { stream: true });
      this.rest = this.rest.subarray(end);
      if (text !== "") this.say(stream, inDockersWords(text));
    }
    done();
  }
}

function inDockersWords(text: string): string {
  return text.startsWith("{") ? text.replace(foreignProgram, "exec $1: exec format error") : text;
}
