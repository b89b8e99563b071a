/**
 * A host of its own for one daemon, as far as the network goes: a named network namespace with an uplink to the real host and
 * masquerading towards the world. Published ports, bridges and firewall rules of a daemon in it (dockerd sets FORWARD to DROP) disturb
 * nobody, and what it leaves behind is easy to see.
 */
import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import { must, type Outcome, run } from "./run.ts";

export class TestHost {
  /** Address of this host as the outside sees it. */
  readonly address: string;
  readonly gateway: string;
  /** The same of version 6, which is not routed any further. */
  readonly address6: string;
  private readonly gateway6: string;
  private readonly table: string;
  private readonly uplink: string;

  readonly name: string;

  constructor(name: string) {
    this.name = name;
    const subnet = randomInt(64 * 256) * 4;
    const prefix = `10.231.${subnet >> 8}`;
    this.gateway = `${prefix}.${(subnet & 255) + 1}`;
    this.address = `${prefix}.${(subnet & 255) + 2}`;
    const prefix6 = `fd0e:2e::${(subnet + 1).toString(16)}`;
    this.gateway6 = `${prefix6}:1`;
    this.address6 = `${prefix6}:2`;
    this.table = `e2e-${name}`;
    this.uplink = `up-${name}`.slice(0, 15);
  }

  get netns(): string {
    return `/run/netns/${this.name}`;
  }

  async create(): Promise<void> {
    await must(["ip", "netns", "add", this.name]);
    await must(["ip", "link", "add", this.uplink, "type", "veth", "peer", "name", "eth0", "netns", this.name]);
    await must(["ip", "address", "add", `${this.gateway}/30`, "dev", this.uplink]);
    await must(["ip", "address", "add", `${this.gateway6}/112`, "dev", this.uplink, "nodad"]);
    await must(["ip", "link", "set", this.uplink, "up"]);
    for (const command of [
      ["link", "set", "lo", "up"],
      ["address", "add", `${this.address}/30`, "dev", "eth0"],
      ["address", "add", `${this.address6}/112`, "dev", "eth0", "nodad"],
      ["link", "set", "eth0", "up"],
      ["route", "add", "default", "via", this.gateway],
      ["-6", "route", "add", "default", "via", this.gateway6],
    ]) {
      await must(["ip", "-n", this.name, ...command]);
    }
    writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
    const rules = `table ip ${this.table} {
      chain out { type nat hook postrouting priority srcnat; ip saddr ${this.address} oifname != "${this.uplink}" masquerade; }
    }`;
    await must(["nft", "-f", "-"], { input: rules });
  }

  /** Command line that runs `argv` on this host. The mount namespace stays the real host's. */
  command(argv: string[]): string[] {
    return ["nsenter", `--net=${this.netns}`, "--", ...argv];
  }

  run(...argv: string[]): Promise<Outcome> {
    return run(this.command(argv));
  }

  async remove(): Promise<void> {
    await run(["ip", "link", "delete", this.uplink]);
    await run(["nft", "delete", "table", "ip", this.table]);
    await run(["ip", "netns", "delete", this.name]);
  }
}
