/**
 * The network sandboxes of one build: a step takes one that no other step of the build is in, so that steps in a row have the same, and
 * those that run at once have their own. Setting one up and taking it down would be a part of every step's time.
 */
import type { BuilderNetworks } from "../parts.ts";

/** A step's for as long as it runs. */
export interface StepNetwork extends Disposable {
  /** The container whose network it is, for all but the first step in it. */
  readonly of: string | undefined;
  /** The step's container: the first one's network is kept. */
  use(container: string): void;
}

export class StepNetworks implements AsyncDisposable {
  private readonly networks: BuilderNetworks;
  private readonly idle: string[] = [];
  private readonly kept: AsyncDisposable[] = [];

  constructor(networks: BuilderNetworks) {
    this.networks = networks;
  }

  take(): StepNetwork {
    const of = this.idle.pop();
    let owner = of;
    return {
      of,
      use: (container) => {
        if (owner !== undefined) return;
        owner = container;
        this.kept.push(this.networks.keep(container));
      },
      [Symbol.dispose]: () => {
        if (owner !== undefined) this.idle.push(owner);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const kept of this.kept) await kept[Symbol.asyncDispose]();
  }
}
