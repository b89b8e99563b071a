/** `history`, `image history`. */
import type { ImageHistoryItem } from "../../api/images.ts";
import { shortId } from "../../base/ids.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { formatListing } from "../format/listing.ts";
import { listFormat } from "../format/options.ts";
import { GoObject } from "../format/template/go-type.ts";
import { agoFromSeconds, ellipsis, humanSize, localRfc3339 } from "../format/units.ts";
import { platformFlag, platformJson } from "./platform.ts";

const header = {
  ID: "IMAGE",
  CreatedAt: "CREATED AT",
  CreatedSince: "CREATED",
  CreatedBy: "CREATED BY",
  Size: "SIZE",
  Comment: "COMMENT",
};

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE",
  args: { min: 1, max: 1 },
  flags: {
    format: listFormat,
    human: flag.boolOn("Print sizes and dates in human readable format", { short: "H" }),
    "no-trunc": flag.bool("Don't truncate output"),
    platform: platformFlag("Show history for the given platform."),
    quiet: flag.bool("Only show image IDs", { short: "q" }),
  },
  async run(context, flags, [image = ""]) {
    const { human, quiet, platform, "no-trunc": whole } = flags.value;
    const items = await context.client.json<ImageHistoryItem[]>("GET", `/images/${encodeURIComponent(image)}/history`, {
      query: { platform: platformJson(platform) },
    });
    const rows = items.map((item) => historyRow(item, human, !whole));
    const source = flags.value.format || "table";
    const createdColumn = human ? "CreatedSince" : "CreatedAt";
    const table = `table {{.ID}}\\t{{.${createdColumn}}}\\t{{.CreatedBy}}\\t{{.Size}}\\t{{.Comment}}`;
    const format = source === "table" ? (quiet ? "{{.ID}}" : table) : source;
    context.stdout.write(formatListing({ format, header, rows }));
    return 0;
  },
});

function historyRow(item: ImageHistoryItem, human: boolean, truncate: boolean): GoObject {
  const createdAt = () => localRfc3339(item.Created);
  return new GoObject("*image.historyContext", {
    Comment: () => item.Comment,
    CreatedAt: createdAt,
    CreatedBy: () => {
      const text = item.CreatedBy.replaceAll("\t", " ");
      return truncate ? ellipsis(text, 45) : text;
    },
    CreatedSince: () => (human ? agoFromSeconds(item.Created) : createdAt()),
    ID: () => (truncate ? shortId(item.Id) : item.Id),
    Size: () => (human ? humanSize(item.Size, 3) : String(item.Size)),
  });
}
