/** Records of the build cache as rows of `system df -v`. */
import { shortId } from "../../base/ids.ts";
import { GoObject, timeType } from "../format/template/go-type.ts";
import { formatValue } from "../format/template/print.ts";
import { agoFromSeconds, humanSize } from "../format/units.ts";

export interface BuildCacheRecord {
  ID: string;
  Parents?: string[] | null;
  Type: string;
  Description: string;
  InUse: boolean;
  Shared: boolean;
  Size: number;
  CreatedAt: string;
  LastUsedAt?: string | null;
  UsageCount: number;
}

export const buildCacheHeader = {
  ID: "CACHE ID",
  Parent: "PARENT",
  CacheType: "CACHE TYPE",
  Size: "SIZE",
  CreatedSince: "CREATED",
  LastUsedSince: "LAST USED",
  UsageCount: "USAGE",
  InUse: "IN USE",
  Shared: "SHARED",
  Description: "DESCRIPTION",
};

/** Least recently used first; never used before all. */
export function sortBuildCache(records: readonly BuildCacheRecord[]): BuildCacheRecord[] {
  const used = (record: BuildCacheRecord) =>
    record.LastUsedAt ? Date.parse(record.LastUsedAt) : Number.NEGATIVE_INFINITY;
  return [...records].sort((a, b) => (used(a) === used(b) ? (a.ID < b.ID ? -1 : 1) : used(a) < used(b) ? -1 : 1));
}

export function buildCacheRow(record: BuildCacheRecord, truncate: boolean): GoObject {
  const time = (text: string) => formatValue({ type: timeType, value: text }, 0);
  const since = (text: string) => agoFromSeconds(Date.parse(text) / 1000);
  const cut = (id: string) => (truncate ? shortId(id) : id);
  return new GoObject("*formatter.buildCacheContext", {
    CacheType: () => record.Type,
    CreatedAt: () => time(record.CreatedAt),
    CreatedSince: () => since(record.CreatedAt),
    Description: () => record.Description,
    ID: () => cut(record.ID) + (record.InUse ? "*" : ""),
    InUse: () => String(record.InUse),
    LastUsedAt: () => (record.LastUsedAt ? time(record.LastUsedAt) : ""),
    LastUsedSince: () => (record.LastUsedAt ? since(record.LastUsedAt) : ""),
    Parent: () => cut((record.Parents ?? []).join(", ")),
    Shared: () => String(record.Shared),
    Size: () => humanSize(record.Size, 3),
    UsageCount: () => String(record.UsageCount),
  });
}
