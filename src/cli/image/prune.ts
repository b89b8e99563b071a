/** `image prune`. */
import type { PruneImagesResponse } from "../../api/images.ts";
import { defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { humanSize } from "../format/units.ts";
import { confirm, pruneQuestion } from "../terminal/prompt.ts";
import { filterQuery, withPruneFilters } from "../values/filters.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  args: { min: 0, max: 0 },
  flags: {
    all: flag.bool("Remove all unused images, not just dangling ones", { short: "a" }),
    filter: flag.filter('Provide filter values (e.g. "until=<timestamp>")'),
    force: flag.bool("Do not prompt for confirmation", { short: "f" }),
  },
  async run(context, flags) {
    const { all, filter, force } = flags.value;
    const warning = all
      ? "WARNING! This will remove all images without at least one container associated to them."
      : "WARNING! This will remove all dangling images.";
    if (!force && !(await confirm(context, pruneQuestion(warning)))) return 0;
    const { freed, text } = await pruneImages(context, all, filter);
    if (text !== "") context.stdout.print(text);
    context.stdout.print(`Total reclaimed space: ${humanSize(freed)}`);
    return 0;
  },
});

/** Prunes; returns the bytes freed and the list to show. */
export async function pruneImages(
  context: CliContext,
  all: boolean,
  filter: string[],
): Promise<{ freed: number; text: string }> {
  const items = [...withPruneFilters(filter, context.config.values["pruneFilters"]), `dangling=${!all}`];
  const report = await context.client.json<PruneImagesResponse>("POST", "/images/prune", {
    query: { filters: filterQuery(items) },
  });
  const deleted = report.ImagesDeleted ?? [];
  const lines = deleted.map(({ Untagged, Deleted }) =>
    Untagged ? `untagged: ${Untagged}` : `deleted: ${Deleted ?? ""}`,
  );
  return { freed: report.SpaceReclaimed, text: lines.length === 0 ? "" : `Deleted Images:\n${lines.join("\n")}\n` };
}
