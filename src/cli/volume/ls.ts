/** `volume ls`. */
import type { VolumeListResponse } from "../../api/volumes.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { formatListing } from "../format/listing.ts";
import { listFormat } from "../format/options.ts";
import { filterQuery } from "../values/filters.ts";
import { naturalCompare } from "../values/natural-sort.ts";
import { volumeHeader, volumeRow } from "./row.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  args: { min: 0, max: 0 },
  flags: {
    filter: flag.filter('Provide filter values (e.g. "dangling=true")', { short: "f" }),
    format: listFormat,
    quiet: flag.bool("Only display volume names", { short: "q" }),
  },
  async run(context, flags) {
    const { filter, quiet } = flags.value;
    const source = flags.value.format || (!quiet && context.config.values.volumesFormat) || "table";
    const list = await context.client.json<VolumeListResponse>("GET", "/volumes", {
      query: { filters: filterQuery(filter) },
    });
    const volumes = [...(list.Volumes ?? [])].sort((a, b) => naturalCompare(a.Name, b.Name));
    const format = chooseFormat(source, quiet);
    context.stdout.write(formatListing({ format, header: volumeHeader, rows: volumes.map(volumeRow) }));
    return 0;
  },
});

function chooseFormat(source: string, quiet: boolean): string {
  if (source === "table") return quiet ? "{{.Name}}" : "table {{.Driver}}\\t{{.Name}}";
  if (source === "raw") return quiet ? "name: {{.Name}}" : "name: {{.Name}}\\ndriver: {{.Driver}}\\n";
  return source;
}
