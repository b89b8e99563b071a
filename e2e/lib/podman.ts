/** podman as a client of registries, with everything in the target's directory. Its images need no kernel: they are kept as copies. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxArchive } from "./images.ts";
import { type Outcome, run } from "./run.ts";
import type { Target } from "./target.ts";

export class Podman {
  private readonly target: Target;
  private readonly credentials: string;

  constructor(target: Target) {
    this.target = target;
    this.credentials = join(target.root, "podman-credentials.json");
    // One that is named must be there.
    writeFileSync(this.credentials, "{}");
  }

  run(...args: string[]): Promise<Outcome> {
    const { root, host } = this.target;
    const flags = ["--root", join(root, "podman"), "--runroot", join(root, "podman-run"), "--storage-driver", "vfs"];
    const env = { ...process.env, REGISTRY_AUTH_FILE: this.credentials };
    return run(host.command(["podman", ...flags, ...args]), { env });
  }

  async must(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    if (code !== 0) throw new Error(`podman ${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  }

  /** A busybox of this name. */
  async import(name: string): Promise<void> {
    await this.must("import", "-q", "-c", 'CMD ["sh"]', await busyboxArchive(), name);
  }
}
