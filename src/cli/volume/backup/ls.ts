/** `volume backup ls`. */
import type { VolumeBackup } from "../../../api/volumes.ts";
import { defineCommand } from "../../command.ts";
import { flag } from "../../flag-kinds.ts";
import { formatListing } from "../../format/listing.ts";
import { listFormat } from "../../format/options.ts";
import { GoObject } from "../../format/template/go-type.ts";
import { agoFromSeconds } from "../../format/units.ts";

const header = {
  Name: "NAME",
  Volume: "VOLUME",
  Schedule: "SCHEDULE",
  Keep: "KEEP",
  Count: "BACKUPS",
  Directory: "DIRECTORY",
  LastRun: "LAST RUN",
  NextRun: "NEXT RUN",
  Status: "STATUS",
};
const table = "table {{.Name}}\\t{{.Volume}}\\t{{.Schedule}}\\t{{.Keep}}\\t{{.Count}}\\t{{.LastRun}}\\t{{.Status}}";

export const command = defineCommand({
  usage: "[OPTIONS]",
  args: { min: 0, max: 0 },
  flags: { format: listFormat, quiet: flag.bool("Only display names", { short: "q" }) },
  async run(context, flags) {
    const { format, quiet } = flags.value;
    const list = await context.client.json<VolumeBackup[]>("GET", "/gantry/backups");
    const chosen = format === "" || format === "table" ? (quiet ? "{{.Name}}" : table) : format;
    context.stdout.write(formatListing({ format: chosen, header, rows: list.map(row) }));
    return 0;
  },
});

function row(backup: VolumeBackup): GoObject {
  return new GoObject("volume backup", {
    Count: () => String(backup.Backups.length),
    Directory: () => backup.Directory,
    Keep: () => String(backup.Keep),
    LastRun: () => (backup.LastRun === "" ? "never" : agoFromSeconds(Date.parse(backup.LastRun) / 1000)),
    Name: () => backup.Name,
    NextRun: () => backup.NextRun,
    Schedule: () => backup.Schedule,
    Status: () => (backup.LastError === "" ? "ok" : `failed: ${backup.LastError}`),
    Volume: () => backup.Volume,
  });
}
