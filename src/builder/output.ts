/** What a build says while it runs: text as the classic builder prints it, progress of pulls, ids. */
import type { ProgressMessage } from "../api/system.ts";

export type Say = (message: ProgressMessage) => void;

export class BuildOutput {
  private readonly say: Say;

  constructor(say: Say) {
    this.say = say;
  }

  text(text: string): void {
    this.say({ stream: text });
  }

  line(text: string): void {
    this.say({ stream: text });
    this.say({ stream: "\n" });
  }

  /** What a step's process writes to stderr, in red as dockerd sends it. */
  error(text: string): void {
    this.say({ stream: `\u001b[91m${text}\u001b[0m` });
  }

  progress(message: ProgressMessage): void {
    this.say(message);
  }

  id(id: string): void {
    this.say({ aux: { ID: id } });
  }
}

/** Stages run at once, but each is told whole, in the order of the Dockerfile: one speaks, the others wait with what they have. */
export class OrderedOutputs {
  private readonly say: Say;
  private readonly waiting: ProgressMessage[][];
  private readonly ended: boolean[];
  private speaker = 0;

  constructor(say: Say, count: number) {
    this.say = say;
    this.waiting = Array.from({ length: count }, () => []);
    this.ended = Array.from({ length: count }, () => false);
  }

  output(index: number): BuildOutput {
    return new BuildOutput((message) => {
      if (index === this.speaker) this.say(message);
      else this.waiting[index]?.push(message);
    });
  }

  end(index: number): void {
    this.ended[index] = true;
    while (this.ended[this.speaker]) {
      this.speaker++;
      for (const message of this.waiting[this.speaker]?.splice(0) ?? []) this.say(message);
    }
  }

  /** The stage that failed is heard even when earlier ones are not done. */
  interrupt(index: number): void {
    if (index <= this.speaker) return;
    for (const message of this.waiting[index]?.splice(0) ?? []) this.say(message);
  }
}
