/** The build cache as BuildKit's clients see it: `docker buildx du`, `docker buildx prune`. */

import { containerdFilter } from "../../builder/cache/record-filter.ts";
import type { PruneRequest, Timestamp, UsageRecord } from "../../buildkit-api/protocol/messages.ts";
import type { GatewayScope } from "./gateway.ts";

export function diskUsage({ deps }: GatewayScope, filters: readonly string[]): UsageRecord[] {
  return deps.builder
    .cacheRecords()
    .filter(containerdFilter(filters))
    .map((record) => ({
      ID: record.ID,
      Mutable: record.Type !== "regular",
      InUse: record.InUse,
      Size: record.Size,
      CreatedAt: timestamp(record.CreatedAt),
      LastUsedAt: record.LastUsedAt === null ? null : timestamp(record.LastUsedAt),
      UsageCount: record.UsageCount,
      Description: record.Description,
      RecordType: record.Type,
      Shared: record.Shared,
      Parents: record.Parents ?? [],
    }));
}

/** `text`: RFC 3339. */
function timestamp(text: string): Timestamp {
  const millis = Date.parse(text);
  const seconds = Math.floor(millis / 1000);
  return { seconds, nanos: (millis - seconds * 1000) * 1e6 };
}

/** What was removed. */
export async function prune(scope: GatewayScope, request: PruneRequest): Promise<UsageRecord[]> {
  const before = diskUsage(scope, request.filter);
  const filters = request.keepDuration > 0 ? { until: [`${Math.floor(request.keepDuration / 1e9)}s`] } : {};
  const keepStorage = request.reservedSpace || request.maxUsedSpace;
  const matches = containerdFilter(request.filter);
  const { CachesDeleted } = await scope.deps.builder.prune({ all: request.all, keepStorage, filters, matches });
  const gone = new Set(CachesDeleted ?? []);
  return before.filter(({ ID }) => gone.has(ID));
}
