/** A dockerd beside the daemon under test: on the same host, with everything else of its own. */
import { existsSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { daemonLaunch } from "./daemons.ts";
import { must, until } from "./run.ts";
import { dockerCli } from "./settings.ts";
import type { Target } from "./target.ts";

export class Peer {
  private readonly target: Target;
  private readonly root: string;
  private daemon: Bun.Subprocess | undefined;

  constructor(target: Target, config: Record<string, unknown> = {}) {
    this.target = target;
    this.root = join(target.root, "peer");
    mkdirSync(this.root);
    writeFileSync(join(this.root, "daemon.json"), JSON.stringify(config));
  }

  private get socket(): string {
    return join(this.root, "api.sock");
  }

  /** Starts it (again) and waits until it answers. */
  async start(): Promise<void> {
    const log = openSync(join(this.root, "daemon.log"), "a");
    const { traces, host } = this.target;
    const { argv, env } = daemonLaunch("dockerd", { root: this.root, socket: this.socket, cgroup: traces.cgroup });
    const daemon = Bun.spawn(host.command(argv), { env, stdin: "ignore", stdout: log, stderr: log });
    this.daemon = daemon;
    await until(
      "the peer to answer",
      async () => {
        if (daemon.exitCode !== null) throw new Error(`the peer ended with ${daemon.exitCode}`);
        if (!existsSync(this.socket)) return undefined;
        return (await fetch("http://docker/_ping", { unix: this.socket }).catch(() => undefined))?.ok;
      },
      90_000,
    );
  }

  get cliEnvironment(): Record<string, string | undefined> {
    return { ...this.target.cliEnvironment, DOCKER_HOST: `unix://${this.socket}` };
  }

  must(...args: string[]): Promise<string> {
    return must([dockerCli, ...args], { env: this.cliEnvironment });
  }

  async stop(): Promise<void> {
    this.daemon?.kill("SIGTERM");
    await this.daemon?.exited;
    this.daemon = undefined;
  }

  /** Ends it and takes away what it leaves on its host: its bridge and its firewall. */
  async remove(): Promise<void> {
    const containers = (await this.must("ps", "-aq")).split("\n").filter((id) => id !== "");
    if (containers.length > 0) await this.must("rm", "-f", ...containers);
    await this.stop();
    const { host } = this.target;
    await host.run("ip", "link", "delete", "docker0");
    await host.run("nft", "flush", "ruleset");
  }
}
