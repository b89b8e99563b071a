/** The builds that run or have just ended, by the reference that their client gave them: `Solve`, `Status` and the gateway's calls are about the same one. */
import { notFound } from "../../base/errors.ts";
import type { BuildHistoryRecord } from "../../buildkit-api/protocol/messages.ts";
import { Arrivals } from "../arrivals.ts";
import type { Built } from "../frontend/frontend.ts";
import type { BuiltResult } from "../frontend/platform-build.ts";
import { Progress } from "../progress.ts";

/** How long `Status` and the gateway wait for the `Solve` that they belong to. */
const patienceMillis = 6000;

export class RunningSolve {
  readonly ref: string;
  readonly session: string;
  readonly entitlements: readonly string[];
  readonly progress = new Progress();
  /** What the history says of it; the frontend's part is known when it is asked. */
  readonly record: BuildHistoryRecord;
  readonly signal: AbortSignal;
  /** By the ids that the client was told. */
  readonly results = new Map<string, BuiltResult>();
  /** Directories of sources that the client looks into, likewise. */
  readonly trees = new Map<string, string>();
  /** What goes when the build ends. */
  readonly owned = new AsyncDisposableStack();
  /** What the client says the build's result is, nothing maybe; or its error. */
  readonly returned = Promise.withResolvers<Built | undefined>();

  constructor(options: {
    record: BuildHistoryRecord;
    session: string;
    entitlements: readonly string[];
    signal: AbortSignal;
  }) {
    this.ref = options.record.Ref;
    this.record = options.record;
    this.session = options.session;
    this.entitlements = options.entitlements;
    this.signal = options.signal;
    this.returned.promise.catch(() => undefined);
  }
}

/** How long a build that has ended is known: its client may ask only then what it said. */
const memoryMillis = 30_000;

export class Solves {
  private readonly known = new Arrivals<RunningSolve>();

  add(solve: RunningSolve): Disposable {
    this.known.add(solve.ref, solve);
    return {
      [Symbol.dispose]: () => {
        solve.progress.end();
        setTimeout(() => this.known.remove(solve.ref, solve), memoryMillis).unref();
      },
    };
  }

  /** Rejects `not-found` for one that does not come. */
  get(ref: string): Promise<RunningSolve> {
    return this.known.get(ref, patienceMillis, () => notFound(`no such job ${ref}`));
  }
}
