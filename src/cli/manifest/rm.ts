/** `manifest rm`: forgets lists that are being made here. */
import { errorMessage } from "../../base/errors.ts";
import { formatReference } from "../../oci/reference.ts";
import { CliError, defineCommand } from "../command.ts";
import { ManifestStore, normalizedReference } from "./manifest-store.ts";

export const command = defineCommand({
  usage: "MANIFEST_LIST [MANIFEST_LIST...]",
  args: { min: 1 },
  flags: {},
  async run(context, _flags, names) {
    const store = new ManifestStore(context);
    const failures = names.flatMap((name) => {
      try {
        const list = normalizedReference(name);
        if (!store.has(list)) return [`No such manifest: ${formatReference(list)}`];
        store.remove(list);
        return [];
      } catch (error) {
        return [errorMessage(error)];
      }
    });
    if (failures.length > 0) throw new CliError(failures.join("\n"));
    return 0;
  },
});
