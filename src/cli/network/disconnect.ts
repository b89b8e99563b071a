/** `network disconnect`. */
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NETWORK CONTAINER",
  args: { min: 2, max: 2 },
  flags: { force: flag.bool("Force the container to disconnect from a network", { short: "f" }) },
  async run(context, flags, [network = "", container = ""]) {
    await context.client.send("POST", `/networks/${encodeURIComponent(network)}/disconnect`, {
      body: { Container: container, Force: flags.value.force },
    });
    return 0;
  },
});
