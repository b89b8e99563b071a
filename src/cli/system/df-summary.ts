/** The four lines of `system df`: what there is, what is in use, what a prune would free. */
import type { DiskUsage } from "../../api/system.ts";
import { GoObject } from "../format/template/go-type.ts";
import { humanSize } from "../format/units.ts";
import type { BuildCacheRecord } from "./build-cache.ts";

export const summaryHeader = {
  Type: "TYPE",
  TotalCount: "TOTAL",
  Active: "ACTIVE",
  Size: "SIZE",
  Reclaimable: "RECLAIMABLE",
};

interface Summary {
  type: string;
  total: number;
  active: number;
  size: number;
  reclaimable: number;
  /** Show the share of the size too. */
  percent: boolean;
}

export function summaryRows(usage: DiskUsage): GoObject[] {
  const cache = (usage.BuildCache ?? []) as BuildCacheRecord[];
  return [imageSummary(usage), containerSummary(usage), volumeSummary(usage), cacheSummary(cache)].map(summaryRow);
}

const sum = <T>(items: readonly T[], size: (item: T) => number) => items.reduce((total, item) => total + size(item), 0);

function imageSummary(usage: DiskUsage): Summary {
  const images = usage.Images ?? [];
  const known = images.filter(
    ({ Containers, Size, SharedSize }) => Containers !== 0 && Size !== -1 && SharedSize !== -1,
  );
  const used = sum(known, ({ Size, SharedSize }) => Size - SharedSize);
  const size = usage.LayersSize ?? 0;
  const active = images.filter(({ Containers }) => Containers > 0).length;
  return { type: "Images", total: images.length, active, size, reclaimable: size - used, percent: true };
}

function containerSummary(usage: DiskUsage): Summary {
  const containers = usage.Containers ?? [];
  const isActive = (state: string) => /running|paused|restarting/.test(state);
  const size = sum(containers, ({ SizeRw }) => SizeRw ?? 0);
  const idle = containers.filter(({ State }) => !isActive(State));
  const active = containers.length - idle.length;
  const reclaimable = sum(idle, ({ SizeRw }) => SizeRw ?? 0);
  return { type: "Containers", total: containers.length, active, size, reclaimable, percent: true };
}

function volumeSummary(usage: DiskUsage): Summary {
  const volumes = usage.Volumes ?? [];
  const sizeOf = (volume: (typeof volumes)[number]) => Math.max(0, volume.UsageData?.Size ?? 0);
  const isUsed = (volume: (typeof volumes)[number]) => (volume.UsageData?.RefCount ?? 0) > 0;
  const unused = volumes.filter((volume) => volume.UsageData?.RefCount === 0);
  return {
    type: "Local Volumes",
    total: volumes.length,
    active: volumes.filter(isUsed).length,
    size: sum(volumes, sizeOf),
    reclaimable: sum(unused, sizeOf),
    percent: true,
  };
}

function cacheSummary(records: readonly BuildCacheRecord[]): Summary {
  const own = records.filter(({ Shared }) => !Shared);
  const size = sum(own, ({ Size }) => Size);
  const inUse = sum(
    own.filter(({ InUse }) => InUse),
    ({ Size }) => Size,
  );
  const active = records.filter(({ InUse }) => InUse).length;
  return { type: "Build Cache", total: records.length, active, size, reclaimable: size - inUse, percent: false };
}

function summaryRow({ type, total, active, size, reclaimable, percent }: Summary): GoObject {
  return new GoObject("*formatter.diskUsageContext", {
    Active: () => String(active),
    Reclaimable: () => {
      const text = humanSize(reclaimable);
      return percent && size > 0 ? `${text} (${Math.trunc((reclaimable * 100) / size)}%)` : text;
    },
    Size: () => humanSize(size),
    TotalCount: () => String(total),
    Type: () => type,
  });
}
