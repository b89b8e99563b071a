/** The build cache as BuildKit's clients see it: `docker buildx du`, `docker buildx prune`. */
import type { PruneRequest, Timestamp, UsageRecord } from "../../buildkit-api/protocol/messages.ts";
import type { GatewayScope } from "./gateway.ts";

export function diskUsage({ deps }: GatewayScope, filters: readonly string[]): UsageRecord[] {
  return deps.builder.cacheRecords(filtersOf(filters)).map((record) => ({
    ID: record.ID,
    Mutable: false,
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
  const filters = filtersOf(request.filter);
  if (request.keepDuration > 0) filters["until"] = [`${Math.floor(request.keepDuration / 1e9)}s`];
  const keepStorage = request.reservedSpace || request.maxUsedSpace;
  const { CachesDeleted } = await scope.deps.builder.prune({ all: request.all, keepStorage, filters });
  if (request.all && request.filter.length === 0 && request.keepDuration === 0) scope.locals.prune();
  const gone = new Set(CachesDeleted ?? []);
  return before.filter(({ ID }) => gone.has(ID));
}

/** containerd's form, `id~=…` and `id==…`, as Docker's filters. */
function filtersOf(filters: readonly string[]): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const filter of filters.flatMap((text) => text.split(","))) {
    const [, name, value] = /^([a-z]+)(?:==|~=|=)(.*)$/.exec(filter) ?? [];
    if (name !== undefined && value !== undefined) found[name] = [...(found[name] ?? []), value];
  }
  return found;
}
