/** `rmi`, `image rm`. */
import { isStatus } from "../../api/client-error.ts";
import type { ImageDeleteItem } from "../../api/images.ts";
import { CliError, defineCommand } from "../command.ts";
import { describeError } from "../errors.ts";
import { flag } from "../flag-kinds.ts";
import { platformJson } from "./platform.ts";

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  args: { min: 1 },
  flags: {
    force: flag.bool("Force removal of the image", { short: "f" }),
    "no-prune": flag.bool("Do not delete untagged parents"),
    platform: flag.commaList(
      'Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
  },
  async run(context, flags, args) {
    const { force, "no-prune": noPrune, platform } = flags.value;
    const platforms = platform.map(platformJson).filter((each) => each !== undefined);
    const failures: string[] = [];
    let fatal = false;
    for (const image of args) {
      try {
        const items = await context.client.json<ImageDeleteItem[]>("DELETE", `/images/${encodeURIComponent(image)}`, {
          query: { force: force || undefined, noprune: noPrune || undefined, platforms },
        });
        for (const { Deleted, Untagged } of items) {
          context.stdout.print(Deleted ? `Deleted: ${Deleted}` : `Untagged: ${Untagged ?? ""}`);
        }
      } catch (error) {
        if (!isStatus(error, 404)) fatal = true;
        failures.push(describeError(error));
      }
    }
    if (failures.length === 0) return 0;
    if (!force || fatal) throw new CliError(failures.join("\n"));
    context.stderr.print(failures.join("\n"));
    return 0;
  },
});
