/** `volume backup create`. */
import type { VolumeBackup, VolumeBackupRequest } from "../../../api/volumes.ts";
import { defineCommand } from "../../command.ts";
import { flag } from "../../flag-kinds.ts";

export const command = defineCommand({
  usage: "[OPTIONS] VOLUME",
  args: { min: 1, max: 1 },
  description:
    "Back up a volume by schedule, as snapshots or as archives in a directory of the daemon's host. The oldest above the number to keep go.",
  flags: {
    directory: flag.string("Directory of the daemon's host for gzipped archives (default: snapshots)", { short: "d" }),
    keep: flag.intWith(7, "How many backups to keep"),
    name: flag.string("Name of the backup (default: that of the volume)"),
    schedule: flag.stringWith("@daily", 'When: cron\'s five fields, "@daily" and the like, or "@every 6h"', {
      short: "s",
    }),
  },
  async run(context, flags, [volume = ""]) {
    const { directory, keep, name, schedule } = flags.value;
    const body: VolumeBackupRequest = {
      ...{ Name: name, Volume: volume, Schedule: schedule, Keep: keep, Directory: directory },
    };
    const made = await context.client.json<VolumeBackup>("POST", "/gantry/backups", { body });
    context.stdout.print(made.Name);
    return 0;
  },
});
