/** `volume prune`. */
import type { PruneVolumesResponse } from "../../api/volumes.ts";
import { CliError, defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { humanSize } from "../format/units.ts";
import { confirm, pruneQuestion } from "../terminal/prompt.ts";
import { filterQuery, withPruneFilters } from "../values/filters.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  args: { min: 0, max: 0 },
  flags: {
    all: flag.bool("Remove all unused volumes, not just anonymous ones", { short: "a" }),
    filter: flag.filter('Provide filter values (e.g. "label=<label>")'),
    force: flag.bool("Do not prompt for confirmation", { short: "f" }),
  },
  async run(context, flags) {
    const { all, filter, force } = flags.value;
    if (all && filter.some((item) => item.startsWith("all="))) {
      throw new CliError("conflicting options: cannot specify both --all and --filter all=1");
    }
    const kind = all ? "all" : "anonymous";
    const warning = `WARNING! This will remove ${kind} local volumes not used by at least one container.`;
    if (!force && !(await confirm(context, pruneQuestion(warning)))) return 0;
    const { freed, text } = await pruneVolumes(context, all ? [...filter, "all=true"] : filter);
    if (text !== "") context.stdout.print(text);
    context.stdout.print(`Total reclaimed space: ${humanSize(freed)}`);
    return 0;
  },
});

/** Prunes; returns the bytes freed and the list to show. */
export async function pruneVolumes(context: CliContext, filter: string[]): Promise<{ freed: number; text: string }> {
  const items = withPruneFilters(filter, context.config.values["pruneFilters"]);
  const report = await context.client.json<PruneVolumesResponse>("POST", "/volumes/prune", {
    query: { filters: filterQuery(items) },
  });
  const deleted = report.VolumesDeleted ?? [];
  return {
    freed: report.SpaceReclaimed,
    text: deleted.length === 0 ? "" : `Deleted Volumes:\n${deleted.join("\n")}\n`,
  };
}
