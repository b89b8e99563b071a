/** `volume snapshot create`. */
import type { VolumeSnapshot } from "../../../api/volumes.ts";
import { defineCommand } from "../../command.ts";
import { flag } from "../../flag-kinds.ts";
import { labelMap } from "../create.ts";
import { volumePath } from "../paths.ts";

export const command = defineCommand({
  usage: "[OPTIONS] VOLUME [SNAPSHOT]",
  args: { min: 1, max: 2 },
  description:
    "Take a snapshot of a volume. Containers that use it stand still while it is copied. Without a name it is called by volume and time.",
  flags: { label: flag.list("Set metadata for the snapshot") },
  async run(context, flags, [volume = "", name = ""]) {
    const body = { Name: name, Labels: labelMap(flags.value.label) };
    const made = await context.client.json<VolumeSnapshot>("POST", `${volumePath(volume)}/snapshots`, { body });
    context.stdout.print(made.Name);
    return 0;
  },
});
