/** The names of this daemon's things in the kernel. All derive from the instance's name, so that daemons tell theirs apart. */
import { createHash, randomBytes } from "node:crypto";

export interface NetworkNames {
  bridge: string;
  /** Alias of the bridge link, and comment of the marked rules in others' chains. */
  owner: string;
  /** nftables table, family ip. */
  table: string;
}

/** `default` is the instance of a daemon started without any flags. */
export function networkNames(instance: string, bridge?: string): NetworkNames {
  const safe = /^[\w.-]{1,40}$/.test(instance) ? instance : digest(instance);
  const derived = instance === "default" ? "gantry0" : `gantry-${digest(instance).slice(0, 8)}`;
  return { bridge: bridge || derived, owner: `gantry-${safe}`, table: `gantry-${safe}` };
}

/** A new sandbox id: 64 hexadecimal digits. */
export function newSandboxId(): string {
  return randomBytes(32).toString("hex");
}

/** File name of a sandbox's namespace, in `<exec-root>/netns`. */
export function sandboxFile(sandboxId: string): string {
  return sandboxId.slice(0, 12);
}

/** Name of the host's end of a sandbox's veth pair; from the file's name as well as from the id. */
export function vethName(sandboxId: string): string {
  return `veth${sandboxId.slice(0, 10)}`;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
