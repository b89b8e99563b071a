/** `system prune`: containers, networks, volumes when asked, images, build cache. */
import { isStatus } from "../../api/client-error.ts";
import type { PruneContainersResponse } from "../../api/containers.ts";
import { CliError, defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { humanSize } from "../format/units.ts";
import { pruneImages } from "../image/prune.ts";
import { pruneNetworks } from "../network/prune.ts";
import { confirm } from "../terminal/prompt.ts";
import { filterQuery, withPruneFilters } from "../values/filters.ts";
import { pruneVolumes } from "../volume/prune.ts";

interface Pruned {
  freed: number;
  text: string;
}

export const command = defineCommand({
  usage: "[OPTIONS]",
  args: { min: 0, max: 0 },
  flags: {
    all: flag.bool("Remove all unused images not just dangling ones", { short: "a" }),
    filter: flag.filter('Provide filter values (e.g. "label=<key>=<value>")'),
    force: flag.bool("Do not prompt for confirmation", { short: "f" }),
    volumes: flag.bool("Prune anonymous volumes"),
  },
  async run(context, flags) {
    const { all, filter, force, volumes } = flags.value;
    if (volumes && filter.some((item) => item.startsWith("until="))) {
      throw new CliError('ERROR: The "until" filter is not supported with "--volumes"');
    }
    if (!force && !(await confirm(context, question(all, volumes, filter)))) return 0;
    let freed = 0;
    const report = (pruned: Pruned) => {
      freed += pruned.freed;
      if (pruned.text !== "") context.stdout.print(pruned.text);
    };
    report(await pruneContainers(context, filter));
    report({ freed: 0, text: await pruneNetworks(context, filter) });
    if (volumes) report(await pruneVolumes(context, filter));
    report(await pruneImages(context, all, filter));
    report(await pruneBuildCache(context, all, filter));
    context.stdout.print(`Total reclaimed space: ${humanSize(freed)}`);
    return 0;
  },
});

function question(all: boolean, volumes: boolean, filter: readonly string[]): string {
  const targets = [
    "all stopped containers",
    "all networks not used by at least one container",
    ...(volumes ? ["all anonymous volumes not used by at least one container"] : []),
    all ? "all images without at least one container associated to them" : "all dangling images",
    all ? "all build cache" : "unused build cache",
  ];
  const list = (items: readonly string[]) => items.map((item) => `  - ${item}\n`).join("");
  const filters = filter.length === 0 ? "" : `\n  Items to be pruned will be filtered with:\n${list(filter)}`;
  return `WARNING! This will remove:\n${list(targets)}${filters}\nAre you sure you want to continue?`;
}

async function pruneContainers(context: CliContext, filter: string[]): Promise<Pruned> {
  const items = withPruneFilters(filter, context.config.values["pruneFilters"]);
  const report = await context.client.json<PruneContainersResponse>("POST", "/containers/prune", {
    query: { filters: filterQuery(items) },
  });
  const deleted = report.ContainersDeleted ?? [];
  const text = deleted.length === 0 ? "" : `Deleted Containers:\n${deleted.join("\n")}\n`;
  return { freed: report.SpaceReclaimed, text };
}

/** A daemon without a builder has no cache to prune. */
async function pruneBuildCache(context: CliContext, all: boolean, filter: string[]): Promise<Pruned> {
  const items = withPruneFilters(filter, context.config.values["pruneFilters"]);
  try {
    const report = await context.client.json<{ CachesDeleted: string[] | null; SpaceReclaimed: number }>(
      "POST",
      "/build/prune",
      { query: { all: all || undefined, filters: filterQuery(items) } },
    );
    const deleted = report.CachesDeleted ?? [];
    const text = deleted.length === 0 ? "" : `Deleted build cache objects:\n${deleted.join("\n")}\n`;
    return { freed: report.SpaceReclaimed, text };
  } catch (error) {
    if (isStatus(error, 404) || isStatus(error, 501)) return { freed: 0, text: "" };
    throw error;
  }
}
