/**
 * Lives with a packet filter of others whose FORWARD chain drops by default (dockerd sets that policy): an accept verdict in our own
 * table cannot override it. Then, and only then, one accept rule per direction, marked by a comment, goes where Docker provides for
 * it (DOCKER-USER), else into FORWARD. Nothing else outside our own table is ever touched.
 */
import { errorMessage } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import type { Family } from "../../../linux/inet.ts";
import type { NetworkThread } from "../../../linux/network/network-thread.ts";

export interface GuardOptions {
  bridge: string;
  /** Comment of the rules; says whose they are. */
  owner: string;
  /** The versions that the bridge's containers speak. */
  families: readonly Family[];
}

const filters = { 4: { table: "ip", program: "iptables" }, 6: { table: "ip6", program: "ip6tables" } } as const;
const chains = ["DOCKER-USER", "FORWARD"] as const;
type Chain = (typeof chains)[number];

/** What runs a program to its end: exit status and output. Rejects when there is no such program. */
export type Run = (argv: string[]) => Promise<{ status: number; stdout: string; stderr: string }>;

export class ForwardGuard {
  private readonly options: GuardOptions;
  private readonly thread: Pick<NetworkThread, "call">;
  private readonly logger: Logger;
  private readonly run: Run;
  private pending: Promise<void> = Promise.resolve();

  constructor(options: GuardOptions, thread: Pick<NetworkThread, "call">, logger: Logger, run: Run = runProgram) {
    this.options = options;
    this.thread = thread;
    this.logger = logger;
    this.run = run;
  }

  /** Adds the rules where they are needed and missing. Idempotent; calls are carried out one after another. */
  ensure(): Promise<void> {
    return this.enqueue(async () => {
      for (const family of this.options.families) {
        const chain = await this.droppingChain(family);
        if (chain !== undefined) await this.addRules(family, chain);
      }
    });
  }

  /** Takes the rules away, wherever they are. Idempotent. */
  remove(): Promise<void> {
    return this.enqueue(async () => {
      for (const family of this.options.families) {
        for (const chain of chains) await this.removeRules(family, chain);
      }
    });
  }

  private async removeRules(family: Family, chain: Chain): Promise<void> {
    if (!(await this.thread.call("findChain", filters[family].table, "filter", chain))) return;
    for (const rule of this.rules()) {
      while ((await this.iptables(family, "-D", chain, rule)).status === 0);
    }
  }

  private enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.pending.then(work).catch((error) => {
      this.logger.warn("the host's FORWARD chain drops packets of containers and the rule that lets them pass failed", {
        error: errorMessage(error),
      });
    });
    this.pending = done;
    return done;
  }

  /** Where a rule is needed; undefined: nowhere. */
  private async droppingChain(family: Family): Promise<Chain | undefined> {
    const { table } = filters[family];
    const forward = await this.thread.call("findChain", table, "filter", "FORWARD");
    if (!forward?.dropsByDefault) return undefined;
    return (await this.thread.call("findChain", table, "filter", "DOCKER-USER")) ? "DOCKER-USER" : "FORWARD";
  }

  private async addRules(family: Family, chain: Chain): Promise<void> {
    for (const rule of this.rules()) {
      if ((await this.iptables(family, "-C", chain, rule)).status === 0) continue;
      const { status, stderr } = await this.iptables(family, "-I", chain, rule);
      if (status !== 0) throw new Error(`${filters[family].program} -I ${chain}: ${stderr.trim()}`);
      this.logger.info("the host forwards nothing by default: a rule lets the containers' packets pass", {
        chain,
        rule: rule.join(" "),
      });
    }
  }

  private rules(): string[][] {
    const { bridge, owner } = this.options;
    const rest = ["-m", "comment", "--comment", owner, "-j", "ACCEPT"];
    return [
      ["-i", bridge, ...rest],
      ["-o", bridge, ...rest],
    ];
  }

  /** By the very program that made these chains: iptables refuses to list chains with rules that it did not write itself. */
  private iptables(family: Family, verb: "-C" | "-I" | "-D", chain: Chain, rule: string[]): ReturnType<Run> {
    return this.run([filters[family].program, "-w", "5", verb, chain, ...rule]);
  }
}

async function runProgram(argv: string[]): ReturnType<Run> {
  const child = Bun.spawn(argv, { stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  const [stdout, stderr, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { status, stdout, stderr };
}
