/** `docker container prune`: all that is stopped, or what the filters say of it. */
import type { PruneContainersResponse } from "../../api/containers.ts";
import { labelsMatch } from "../../api/filters.ts";
import type { Filters } from "../../api/system.ts";
import { fromRfc3339 } from "../../base/clock.ts";
import { invalidArgument, isNotFound } from "../../base/errors.ts";
import { parseUntil } from "../events/until.ts";
import type { Container } from "./container.ts";
import type { ContainerEvents } from "./container-events.ts";
import type { ContainerStore } from "./container-store.ts";
import type { Remover } from "./remove.ts";
import type { ContainerViews } from "./views/views.ts";

export interface PruneDependencies {
  store: ContainerStore;
  remover: Remover;
  views: ContainerViews;
  events: Pick<ContainerEvents, "publishPrune">;
}

export async function pruneContainers(
  { store, remover, views, events }: PruneDependencies,
  filters: Filters,
): Promise<PruneContainersResponse> {
  const selected = store.list().filter(selector(filters));
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const container of selected) {
    const { SizeRw } = await views.sizes(container).catch(() => ({ SizeRw: 0 }));
    try {
      await remover.remove(container, { force: false, volumes: false, reference: container.id });
    } catch (error) {
      if (isNotFound(error)) continue;
      throw error;
    }
    reclaimed += SizeRw;
    deleted.push(container.id);
  }
  events.publishPrune(reclaimed);
  return { ContainersDeleted: deleted.length > 0 ? deleted : null, SpaceReclaimed: reclaimed };
}

function selector(filters: Filters): (container: Container) => boolean {
  const unknown = Object.keys(filters).find((name) => !["until", "label", "label!"].includes(name));
  if (unknown !== undefined) throw invalidArgument(`invalid filter '${unknown}'`);
  const untils = filters["until"] ?? [];
  if (untils.length > 1) throw invalidArgument("more than one until filter specified");
  const until = untils[0] === undefined ? undefined : parseUntil(untils[0]);
  return (container) => {
    const { record } = container;
    if (container.isRunning || container.isRestarting || record.removing) return false;
    if (until !== undefined && (fromRfc3339(record.created) ?? 0n) >= until) return false;
    return labelsMatch(filters, record.config.Labels);
  };
}
