/** `volume restore`. */
import type { Volume } from "../../api/volumes.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { snapshotPath } from "./paths.ts";

export const command = defineCommand({
  usage: "[OPTIONS] SNAPSHOT [VOLUME]",
  args: { min: 1, max: 2 },
  description:
    "Put a snapshot in the place of its volume's data, or of another volume's, which is made if it is not there. No running container may use it.",
  flags: { replace: flag.bool("Overwrite the data of another volume") },
  async run(context, flags, [snapshot = "", volume = ""]) {
    const body = { Name: volume, Replace: flags.value.replace };
    const restored = await context.client.json<Volume>("POST", `${snapshotPath(snapshot)}/restore`, { body });
    context.stdout.print(restored.Name);
    return 0;
  },
});
