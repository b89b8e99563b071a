/** `system df`. */
import type { ContainerSummary } from "../../api/containers.ts";
import type { DiskUsage } from "../../api/system.ts";
import { defineCommand } from "../command.ts";
import { containerHeader, containerRow } from "../container/row.ts";
import { flag } from "../flag-kinds.ts";
import { formatListing, guarded, parseFormat, templateOf } from "../format/listing.ts";
import { listFormat } from "../format/options.ts";
import { type GoObject, typed } from "../format/template/go-type.ts";
import { humanSize } from "../format/units.ts";
import { diskUsageRow, imageHeader } from "../image/row.ts";
import { systemTypes } from "../inspect/system-types.ts";
import { volumeHeader, volumeRow } from "../volume/row.ts";
import { type BuildCacheRecord, buildCacheHeader, buildCacheRow, sortBuildCache } from "./build-cache.ts";
import { summaryHeader, summaryRows } from "./df-summary.ts";

const table = "table {{.Type}}\\t{{.TotalCount}}\\t{{.Active}}\\t{{.Size}}\\t{{.Reclaimable}}";
const raw = `type: {{.Type}}
total: {{.TotalCount}}
active: {{.Active}}
size: {{.Size}}
reclaimable: {{.Reclaimable}}
`;

const imageTable =
  "table {{.Repository}}\\t{{.Tag}}\\t{{.ID}}\\t{{.CreatedSince}}\\t{{.Size}}\\t{{.SharedSize}}\\t{{.UniqueSize}}\\t{{.Containers}}";
const containerTable =
  "table {{.ID}}\\t{{.Image}}\\t{{.Command}}\\t{{.LocalVolumes}}\\t{{.Size}}\\t{{.RunningFor}}\\t{{.Status}}\\t{{.Names}}";
const cacheTable =
  "table {{.ID}}\\t{{.CacheType}}\\t{{.Size}}\\t{{.CreatedSince}}\\t{{.LastUsedSince}}\\t{{.UsageCount}}\\t{{.Shared}}";

export const command = defineCommand({
  usage: "[OPTIONS]",
  args: { min: 0, max: 0 },
  flags: {
    format: listFormat,
    verbose: flag.bool("Show detailed information on space usage", { short: "v" }),
  },
  async run(context, flags) {
    const usage = await context.client.json<DiskUsage>("GET", "/system/df");
    const source = flags.value.format || "table";
    const text = flags.value.verbose ? verboseText(usage, source) : summaryText(usage, source);
    context.stdout.write(text);
    return 0;
  },
});

function summaryText(usage: DiskUsage, source: string): string {
  const format = source === "table" ? table : source === "raw" ? raw : source;
  return formatListing({ format, header: summaryHeader, rows: summaryRows(usage) });
}

function verboseText(usage: DiskUsage, source: string): string {
  const records = sortBuildCache((usage.BuildCache ?? []) as BuildCacheRecord[]);
  const truncate = source.startsWith("table");
  const images = (usage.Images ?? []).map((image) => diskUsageRow(image, truncate)).filter((row) => row !== undefined);
  const containers = (usage.Containers ?? []).map((container) => containerRow(withoutVirtualSize(container), truncate));
  const volumes = (usage.Volumes ?? []).map(volumeRow);
  const caches = records.map((record) => buildCacheRow(record, truncate));
  if (source !== "table") {
    const template = parseFormat(templateOf(source));
    const value = { Images: images, Containers: containers, Volumes: volumes, BuildCache: caches };
    return guarded(() => template.execute(typed(systemTypes.type("*formatter.diskUsageContext"), value)));
  }
  const section = (format: string, header: Record<string, string>, rows: GoObject[]) =>
    formatListing({ format, header, rows });
  const cacheSize = humanSize(records.filter((each) => !each.Shared).reduce((sum, each) => sum + each.Size, 0));
  return [
    `Images space usage:\n\n${section(imageTable, imageHeader, images)}`,
    `Containers space usage:\n\n${section(containerTable, containerHeader, containers)}`,
    `Local Volumes space usage:\n\n${section("table {{.Name}}\\t{{.Links}}\\t{{.Size}}", volumeHeader, volumes)}`,
    `Build cache usage: ${cacheSize}\n\n${section(cacheTable, buildCacheHeader, caches)}`,
  ].join("\n");
}

function withoutVirtualSize(container: ContainerSummary): ContainerSummary {
  return { ...container, SizeRootFs: 0 };
}
