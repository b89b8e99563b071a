/** Bodies past this process: gantry-relay (shim/relay.c) carries them between a client's socket and a pipe. */
import { closeSync } from "node:fs";
import type { TakenSocket } from "../../linux/pass-descriptor.ts";
import { makePipe, writeAll } from "../../linux/pipe.ts";

export type RelayOutcome = "carried" | "gone" | "malformed" | "aborted";

/** Where a body's decoding stands: bytes left of it, or of its present chunk. */
export interface BodyState {
  framing: "length" | "chunked";
  left: number;
}

const outcomes: Record<number, RelayOutcome> = { 0: "carried", 2: "malformed" };

export class Relay {
  private readonly program: string;

  /** `program` is the path of gantry-relay. */
  constructor(program: string) {
    this.program = program;
  }

  /** Sends what is in the pipe to the socket until the pipe's end; the chunk that ends a chunked body is the caller's to send. */
  out(pipe: number, socket: number, framing: "plain" | "chunked", signal: AbortSignal): Promise<RelayOutcome> {
    return this.run(["out", framing], [pipe, socket, "ignore"], signal);
  }

  /** Puts the rest of a request's body into the pipe. Reads all of it, even if nobody reads the pipe any more. */
  async in(
    { descriptor, ahead }: TakenSocket,
    pipe: number,
    { framing, left }: BodyState,
    signal: AbortSignal,
  ): Promise<RelayOutcome> {
    const { readEnd, writeEnd } = makePipe();
    const running = this.run(["in", framing, String(left)], [descriptor, pipe, "ignore", readEnd], signal);
    closeSync(readEnd);
    // Refused when the relay has ended: its outcome tells why.
    await writeAll(writeEnd, ahead.length > 0 ? [ahead] : []).catch(() => {});
    closeSync(writeEnd);
    return running;
  }

  private async run(
    args: string[],
    stdio: [number, number, "ignore", ...number[]],
    signal: AbortSignal,
  ): Promise<RelayOutcome> {
    if (signal.aborted) return "aborted";
    const child = Bun.spawn([this.program, ...args], { stdio: stdio as [number, number, "ignore"] });
    const kill = () => child.kill("SIGKILL");
    signal.addEventListener("abort", kill, { once: true });
    try {
      const code = await child.exited;
      return signal.aborted ? "aborted" : (outcomes[code] ?? "gone");
    } finally {
      signal.removeEventListener("abort", kill);
    }
  }
}
