/** `volume snapshot ls`. */
import type { VolumeSnapshot } from "../../../api/volumes.ts";
import { defineCommand } from "../../command.ts";
import { showLabels } from "../../container/row.ts";
import { flag } from "../../flag-kinds.ts";
import { formatListing } from "../../format/listing.ts";
import { listFormat } from "../../format/options.ts";
import { GoObject } from "../../format/template/go-type.ts";
import { agoFromSeconds, humanSize } from "../../format/units.ts";
import { filterQuery } from "../../values/filters.ts";

const header = {
  Name: "SNAPSHOT",
  Volume: "VOLUME",
  CreatedAt: "CREATED AT",
  CreatedSince: "CREATED",
  Size: "SIZE",
  Labels: "LABELS",
};
const table = "table {{.Name}}\\t{{.Volume}}\\t{{.CreatedSince}}\\t{{.Size}}";

export const command = defineCommand({
  usage: "[OPTIONS]",
  args: { min: 0, max: 0 },
  flags: {
    filter: flag.filter('Provide filter values (e.g. "volume=data")', { short: "f" }),
    format: listFormat,
    quiet: flag.bool("Only display snapshot names", { short: "q" }),
  },
  async run(context, flags) {
    const { filter, format, quiet } = flags.value;
    const list = await context.client.json<VolumeSnapshot[]>("GET", "/gantry/snapshots", {
      query: { filters: filterQuery(filter) },
    });
    const chosen = format === "" || format === "table" ? (quiet ? "{{.Name}}" : table) : format;
    context.stdout.write(formatListing({ format: chosen, header, rows: list.map(row) }));
    return 0;
  },
});

function row(snapshot: VolumeSnapshot): GoObject {
  return new GoObject("volume snapshot", {
    CreatedAt: () => snapshot.CreatedAt,
    CreatedSince: () => agoFromSeconds(Date.parse(snapshot.CreatedAt) / 1000),
    Label: (name) => snapshot.Labels?.[name] ?? "",
    Labels: () => showLabels(snapshot.Labels),
    Name: () => snapshot.Name,
    Size: () => humanSize(snapshot.Size, 3),
    Volume: () => snapshot.Volume,
  });
}
