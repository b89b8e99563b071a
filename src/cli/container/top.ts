/** `container top`. */
import type { ContainerTop } from "../../api/containers.ts";
import { defineCommand } from "../command.ts";
import { alignTabs } from "../format/tabwriter.ts";
import { containerPath } from "./names.ts";

export const command = defineCommand({
  usage: "CONTAINER [ps OPTIONS]",
  args: { min: 1 },
  interspersed: false,
  flags: {},
  async run(context, _flags, [name = "", ...psArgs]) {
    const query = { ps_args: psArgs.length > 0 ? psArgs.join(" ") : undefined };
    const top = await context.client.json<ContainerTop>("GET", `${containerPath(name)}/top`, { query });
    const rows = [top.Titles, ...(top.Processes ?? [])].map((cells) => `${cells.join("\t")}\n`);
    context.stdout.write(alignTabs(rows.join(""), { minWidth: 20, padding: 3 }));
    return 0;
  },
});
