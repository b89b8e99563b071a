/**
 * The firewall mode in which published ports obey the host's INPUT rules. The first packet of a connection to such a port is not
 * translated when it arrives, so it passes INPUT as if a program of the host's listened there. What INPUT lets through is marked by
 * its network's table, sent out of the gate (gate-link.ts) and comes in again: only there it is translated. All that follows belongs to
 * a connection that the kernel knows. The client's address stays, and no process touches a packet.
 */
import { createHash } from "node:crypto";
import type { GateLinks } from "../../../linux/network/gate-link.ts";
import type { NetworkThread } from "../../../linux/network/network-thread.ts";

/** After every rule that may drop a packet for the host, and just after the marking. */
const priority = 300;
/** To whom packets are sent over the exit; nobody asks. */
const neighbours = { ip: "192.0.2.1", ip6: "fe80::1" } as const;

export class Gate {
  /** Of packets that INPUT let through. */
  readonly mark: number;
  private readonly links: GateLinks;
  private readonly thread: NetworkThread;
  private readonly table: string;

  constructor(instance: string, { owner, table }: { owner: string; table: string }, thread: NetworkThread) {
    const hash = createHash("sha256").update(instance).digest();
    const suffix = hash.toString("hex").slice(0, 8);
    this.mark = (hash.readUInt32BE(4) | 1) >>> 0;
    this.links = { exit: `gwx-${suffix}`, entry: `gwe-${suffix}`, owner };
    this.table = `${table}-gate`;
    this.thread = thread;
  }

  /** Name of the link where packets come in again. */
  get entry(): string {
    return this.links.entry;
  }

  /** Brings links and tables into their state. Idempotent. */
  async open(): Promise<void> {
    await this.thread.call("openGate", this.links);
    const tables = Object.entries(neighbours).map(([family, neighbour]) => this.render(family, neighbour));
    await this.thread.call("applyRuleset", tables.join(""));
  }

  /** As `open`, if anything is missing. */
  async ensure(): Promise<void> {
    if (!(await this.thread.call("hasTable", this.table, "ip"))) await this.open();
  }

  /** Idempotent. */
  async remove(): Promise<void> {
    await this.thread.call("removeGate", this.links);
    for (const family of ["ip", "ip6"] as const) {
      if (!(await this.thread.call("hasTable", this.table, family))) continue;
      await this.thread.call("applyRuleset", `delete table ${family} ${this.table}\n`);
    }
  }

  private render(family: string, neighbour: string): string {
    const { table, mark, links } = this;
    return `
table ${family} ${table} { }
delete table ${family} ${table}
table ${family} ${table} {
  chain input {
    type filter hook input priority ${priority}; policy accept;
    meta mark ${mark} dup to ${neighbour} device "${links.exit}"
    meta mark ${mark} drop
  }
}
`;
  }
}
