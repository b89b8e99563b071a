/** `manifest create`: a list is begun here, of manifests that a registry has. */
import { familiarString, formatReference } from "../../oci/reference.ts";
import { CliError, defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { ManifestStore, normalizedReference } from "./manifest-store.ts";
import { fetchManifests } from "./registry.ts";

export const command = defineCommand({
  usage: "MANIFEST_LIST MANIFEST [MANIFEST...]",
  args: { min: 2 },
  flags: {
    amend: flag.bool("Amend an existing manifest list", { short: "a" }),
    insecure: flag.bool("Allow communication with an insecure registry"),
  },
  async run(context, flags, [name = "", ...manifests]) {
    const list = normalizedReference(name);
    const store = new ManifestStore(context);
    if (store.has(list) && !flags.value.amend) {
      throw new CliError("refusing to amend an existing manifest list with no --amend flag");
    }
    for (const text of manifests) {
      const reference = normalizedReference(text);
      if (store.find(list, reference)) continue;
      const found = await fetchManifests(context, reference, flags.value.insecure);
      if ("list" in found) throw new CliError(`${familiarString(reference)} is a manifest list`);
      store.save(list, reference, found.single);
    }
    context.stdout.print(`Created manifest list ${formatReference(list)}`);
    return 0;
  },
});
