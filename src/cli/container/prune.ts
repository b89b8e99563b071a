/** `container prune`. */
import type { PruneContainersResponse } from "../../api/containers.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { humanSize } from "../format/units.ts";
import { confirm, pruneQuestion } from "../terminal/prompt.ts";
import { filterQuery, withPruneFilters } from "../values/filters.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  args: { min: 0, max: 0 },
  flags: {
    force: flag.bool("Do not prompt for confirmation", { short: "f" }),
    filter: flag.filter('Provide filter values (e.g. "until=<timestamp>")'),
  },
  async run(context, flags) {
    const question = pruneQuestion("WARNING! This will remove all stopped containers.");
    if (!flags.value.force && !(await confirm(context, question))) return 0;
    const filters = filterQuery(withPruneFilters(flags.value.filter, context.config.values["pruneFilters"]));
    const report = await context.client.json<PruneContainersResponse>("POST", "/containers/prune", {
      query: { filters },
    });
    const deleted = report.ContainersDeleted ?? [];
    if (deleted.length > 0) {
      context.stdout.write(`Deleted Containers:\n${deleted.map((id) => `${id}\n`).join("")}\n`);
    }
    context.stdout.print(`Total reclaimed space: ${humanSize(report.SpaceReclaimed)}`);
    return 0;
  },
});
