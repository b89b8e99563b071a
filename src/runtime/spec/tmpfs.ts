/** Options of a tmpfs, given as mount(8) would take them. */
import { internal } from "../../base/errors.ts";

const flags = new Map<string, string>(
  [
    ["ro", "rw"],
    ["suid", "nosuid"],
    ["dev", "nodev"],
    ["exec", "noexec"],
    ["sync", "async"],
    ["dirsync", "dirsync"],
    ["mand", "nomand"],
    ["atime", "noatime"],
    ["diratime", "nodiratime"],
    ["relatime", "norelatime"],
    ["strictatime", "nostrictatime"],
    ["bind", "rbind"],
    ["remount", "remount"],
    ["defaults", "defaults"],
  ].flatMap(([on = "", off = ""]) => [
    [on, on],
    [off, on],
  ]),
);
const propagations = new Set("private rprivate shared rshared slave rslave unbindable runbindable".split(" "));
const valued = new Set(["size", "nr_inodes", "nr_blocks", "mode", "uid", "gid", "mpol"]);

/**
 * Docker's defaults for a tmpfs with the user's options over them: of options that contradict each other, the last stays.
 * Throws Docker's message for an option that tmpfs does not have.
 */
export function mergeTmpfsOptions(given: readonly string[]): string[] {
  const seen = new Set<string>();
  const merged: string[] = [];
  for (const option of ["noexec", "nosuid", "nodev", "rprivate", ...given].reverse()) {
    if (option === "") continue;
    const [name = "", value] = option.split("=", 2);
    const kind = propagations.has(option) ? "propagation" : value === undefined ? flags.get(option) : name;
    if (kind === undefined || (value !== undefined && !valued.has(name))) {
      throw internal(`invalid tmpfs option ${JSON.stringify(value === undefined ? option : name)}`);
    }
    if (seen.has(kind)) continue;
    seen.add(kind);
    if (option !== "defaults") merged.unshift(option);
  }
  return merged;
}
