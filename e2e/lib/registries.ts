/** Registries on a test host: Debian's docker-registry and Gantry's own, with everything in the target's directory. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./run.ts";
import { gantryCommand } from "./settings.ts";
import type { Target } from "./target.ts";

export type RegistryKind = "docker-registry" | "gantry registry";

export class TestRegistries {
  private readonly target: Target;
  private readonly children: Bun.Subprocess[] = [];

  constructor(target: Target) {
    this.target = target;
  }

  /** Resolves when it answers. `address` is `localhost:port`, or `address:port` for others to reach it. */
  async start(kind: RegistryKind, address: string, more: Record<string, unknown> = {}): Promise<void> {
    const { root, host } = this.target;
    const directory = join(root, `registry-${address.replace(/[^\w.]/g, "-")}`);
    mkdirSync(directory);
    const listen = address.replace("localhost", "127.0.0.1");
    const path = join(directory, "config.yml");
    const content = join(directory, "content");
    const config =
      kind === "docker-registry"
        ? { version: "0.1", log: { level: "error" }, storage: filesystem(content), http: { addr: listen }, ...more }
        : { root: content, listen, ...more };
    writeFileSync(path, JSON.stringify(config));
    const argv =
      kind === "docker-registry"
        ? ["docker-registry", "serve", path]
        : [...gantryCommand(), "registry", "serve", "--config", path];
    this.children.push(Bun.spawn(host.command(argv), { stdout: "ignore", stderr: "ignore" }));
    await until(`the registry ${address} to answer`, async () => {
      const { code, stdout } = await host.run(
        "curl",
        "-sk",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        `${"tls" in more ? "https" : "http"}://${address}/v2/`,
      );
      // One that wants TLS answers as well: that this is none.
      return code === 0 && stdout !== "000";
    });
  }

  async stop(): Promise<void> {
    for (const child of this.children) {
      child.kill();
      await child.exited;
    }
  }
}

function filesystem(rootdirectory: string): object {
  return { filesystem: { rootdirectory }, delete: { enabled: true } };
}
