/** Finds the network sandboxes of this instance that no live container uses: what a killed daemon left behind. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { NetworkThread } from "../../../linux/network/network-thread.ts";
import { vethName } from "../settings/network-names.ts";

export interface OrphanSearch {
  /** Where this instance's namespaces have their names. */
  directory: string;
  bridges: readonly string[];
  /** veth names and namespaces' paths in use. */
  keep: ReadonlySet<string>;
  thread: NetworkThread;
}

/**
 * By both traces that a sandbox leaves: a name in the directory, and a veth on one of its bridges. Administrators may hang links of their own
 * on a bridge, so of those only what is named like a sandbox's counts.
 */
export async function sweepOrphans({
  directory,
  bridges,
  keep,
  thread,
}: OrphanSearch): Promise<{ path: string; veth: string }[]> {
  const links = await thread.call("listLinks");
  const masters = new Set(links.flatMap(({ name, index }) => (bridges.includes(name) ? [index] : [])));
  const onBridge = links.filter((link) => link.kind === "veth" && masters.has(link.master));
  const files = existsSync(directory) ? readdirSync(directory) : [];
  const found = new Map<string, string>();
  for (const { name } of onBridge) if (/^veth[\da-f]{10}$/.test(name)) found.set(name, join(directory, "none"));
  for (const file of files) found.set(vethName(file), join(directory, file));
  return [...found]
    .filter(([veth, path]) => !keep.has(veth) && !keep.has(path))
    .map(([veth, path]) => ({ veth, path }));
}
