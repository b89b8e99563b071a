/** `network prune`. */
import { defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { confirm, pruneQuestion } from "../terminal/prompt.ts";
import { filterQuery, withPruneFilters } from "../values/filters.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  args: { min: 0, max: 0 },
  flags: {
    filter: flag.filter('Provide filter values (e.g. "until=<timestamp>")'),
    force: flag.bool("Do not prompt for confirmation", { short: "f" }),
  },
  async run(context, flags) {
    const { filter, force } = flags.value;
    const warning = "WARNING! This will remove all custom networks not used by at least one container.";
    if (!force && !(await confirm(context, pruneQuestion(warning)))) return 0;
    const text = await pruneNetworks(context, filter);
    if (text !== "") context.stdout.print(text);
    return 0;
  },
});

/** Prunes; returns the list to show. */
export async function pruneNetworks(context: CliContext, filter: string[]): Promise<string> {
  const items = withPruneFilters(filter, context.config.values["pruneFilters"]);
  const report = await context.client.json<{ NetworksDeleted: string[] | null }>("POST", "/networks/prune", {
    query: { filters: filterQuery(items) },
  });
  const deleted = report.NetworksDeleted ?? [];
  return deleted.length === 0 ? "" : `Deleted Networks:\n${deleted.join("\n")}\n`;
}
