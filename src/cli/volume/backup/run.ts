/** `volume backup run`. */
import type { VolumeBackup } from "../../../api/volumes.ts";
import { defineCommand } from "../../command.ts";
import { backupPath } from "../paths.ts";

export const command = defineCommand({
  usage: "BACKUP",
  args: { min: 1, max: 1 },
  flags: {},
  async run(context, _flags, [name = ""]) {
    const { Backups } = await context.client.json<VolumeBackup>("POST", `${backupPath(name)}/run`);
    context.stdout.print(Backups.at(-1) ?? "");
    return 0;
  },
});
