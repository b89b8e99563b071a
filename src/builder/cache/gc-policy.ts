/** What of the build cache goes by itself after a build. The rules are those of `builder.gc` in dockerd's daemon.json. */
import { statfsSync } from "node:fs";
import type { Filters } from "../../api/system.ts";
import type { CachePruneRequest } from "./prune.ts";

/** A size in bytes, or a percentage of the disk. */
export type GcSize = number | { percent: number };

export interface GcRule {
  /** Also what images with a name were built from. */
  all: boolean;
  /** So much may stay; undefined: the default. */
  keep: GcSize | undefined;
  filters: Filters;
}

export interface GcConfig {
  enabled: boolean;
  /** Undefined: a tenth of the disk, as in dockerd. */
  defaultKeep: GcSize | undefined;
  /** Undefined: what nobody has used for 60 days, and the rest down to the default. */
  rules: GcRule[] | undefined;
}

const longUnused: Filters = { until: ["1440h"] };

/** One after the other. `directory` is on the disk that percentages are of. */
export function gcRequests({ enabled, defaultKeep, rules }: GcConfig, directory: string): CachePruneRequest[] {
  if (!enabled) return [];
  const { blocks, bsize } = statfsSync(directory);
  const bytes = (size: GcSize) => (typeof size === "number" ? size : Math.floor((blocks * bsize * size.percent) / 100));
  const usual = defaultKeep ?? { percent: 10 };
  const wanted: GcRule[] = rules ?? [
    { all: false, keep: usual, filters: longUnused },
    { all: true, keep: usual, filters: {} },
  ];
  // 0 means that nothing stays.
  return wanted.map(({ all, keep, filters }) => ({ all, keepStorage: bytes(keep ?? usual), filters }));
}
