/** The classic builder's text: `Step n/m : …`, ids, what processes write. Source: moby builder/dockerfile. */
import type { ProgressMessage } from "../api/system.ts";
import { shortId } from "../base/ids.ts";
import type { Instruction, Stage } from "../dockerfile/instructions.ts";
import type { Digest } from "../oci/digest.ts";
import type { BuildPlan, BuildReport, StageReport } from "./report.ts";

export type Say = (message: ProgressMessage) => void;

export class ClassicReport implements BuildReport {
  private readonly say: Say;
  private plan: BuildPlan = { metaArgs: [], stages: [], total: 0 };
  private outputs: OrderedOutputs | undefined;

  constructor(say: Say) {
    this.say = say;
  }

  text(text: string): void {
    this.say({ stream: text });
  }

  /** In red, as dockerd sends it. */
  error(text: string): void {
    this.say({ stream: red(text) });
  }

  begin(plan: BuildPlan): void {
    this.plan = plan;
    this.outputs = new OrderedOutputs(this.say, plan.stages.length);
    for (const [at, { original }] of plan.metaArgs.entries()) {
      this.say({ stream: `Step ${at + 1}/${this.total} : ${original}` });
      this.say({ stream: "\n" });
    }
  }

  stage(place: number): StageReport {
    const outputs = this.outputs as OrderedOutputs;
    const before = this.plan.metaArgs.length + sum(this.plan.stages.slice(0, place).map(stepsOf));
    return new ClassicStage(before, this.total, {
      say: outputs.output(place),
      end: () => outputs.end(place),
      interrupt: () => outputs.interrupt(place),
    });
  }

  private get total(): number {
    return this.plan.metaArgs.length + sum(this.plan.stages.map(stepsOf));
  }
}

class ClassicStage implements StageReport {
  private number: number;
  private readonly total: number;
  private readonly to: { say: Say; end: () => void; interrupt: () => void };

  constructor(number: number, total: number, to: { say: Say; end: () => void; interrupt: () => void }) {
    this.number = number;
    this.total = total;
    this.to = to;
  }

  step({ original }: Stage | Instruction): void {
    this.note(`Step ${++this.number}/${this.total} : ${original}`);
    this.note("\n");
  }

  base(): void {}

  triggers(count: number): void {
    this.note(`# Executing ${count} build trigger${count > 1 ? "s" : ""}\n`);
  }

  trigger(): void {}

  warning(text: string): void {
    this.note(` ---> [Warning] ${text}\n`);
  }

  pull(message: ProgressMessage): void {
    this.to.say(message);
  }

  cached(): void {
    this.note(" ---> Using cache\n");
  }

  running(container: string): void {
    this.note(` ---> Running in ${shortId(container)}\n`);
  }

  removed(container: string): void {
    this.note(` ---> Removed intermediate container ${shortId(container)}\n`);
  }

  output(stream: "stdout" | "stderr", text: string): void {
    this.note(stream === "stderr" ? red(text) : text);
  }

  reached(image: Digest | undefined): void {
    this.note(` ---> ${image ? shortId(image) : ""}\n`);
  }

  finished(image: Digest | undefined): void {
    if (image !== undefined) this.to.say({ aux: { ID: image } });
    this.to.end();
  }

  failed(): void {
    this.to.interrupt();
  }

  private note(text: string): void {
    this.to.say({ stream: text });
  }
}

/** Stages run at once, but each is told whole, in the order of the Dockerfile: one speaks, the others wait with what they have. */
class OrderedOutputs {
  private readonly say: Say;
  private readonly waiting: ProgressMessage[][];
  private readonly ended: boolean[];
  private speaker = 0;

  constructor(say: Say, count: number) {
    this.say = say;
    this.waiting = Array.from({ length: count }, () => []);
    this.ended = Array.from({ length: count }, () => false);
  }

  output(index: number): Say {
    return (message) => {
      if (index === this.speaker) this.say(message);
      else this.waiting[index]?.push(message);
    };
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

function stepsOf({ stage, added }: { stage: Stage; added: number }): number {
  return 1 + stage.instructions.length + added;
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function red(text: string): string {
  return `\u001b[91m${text}\u001b[0m`;
}
