/** `volume clone`. */
import type { Volume } from "../../api/volumes.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { labelMap } from "./create.ts";
import { volumePath } from "./paths.ts";

export const command = defineCommand({
  usage: "[OPTIONS] VOLUME NEW",
  args: { min: 2, max: 2 },
  description: "Make a volume with the data of another. Containers that use that stand still while it is copied.",
  flags: { label: flag.list("Set metadata for the new volume (default: that of the other)") },
  async run(context, flags, [volume = "", name = ""]) {
    const { label } = flags.value;
    const body = { Name: name, ...(label.length === 0 ? {} : { Labels: labelMap(label) }) };
    const made = await context.client.json<Volume>("POST", `${volumePath(volume)}/clone`, { body });
    context.stdout.print(made.Name);
    return 0;
  },
});
