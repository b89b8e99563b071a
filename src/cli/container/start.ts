/** `container start`. */
import type { ContainerInspect } from "../../api/containers.ts";
import { CliError, defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { describeError } from "../errors.ts";
import { flag } from "../flag-kinds.ts";
import { attachAndStart } from "./attach/attach-start.ts";
import { containerPath } from "./names.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  args: { min: 1 },
  flags: {
    attach: flag.bool("Attach STDOUT/STDERR and forward signals", { short: "a" }),
    interactive: flag.bool("Attach container's STDIN", { short: "i" }),
    "detach-keys": flag.string("Override the key sequence for detaching a container"),
    checkpoint: flag.string("Restore from this checkpoint", { hidden: true }),
    "checkpoint-dir": flag.string("Use a custom checkpoint storage directory", { hidden: true }),
  },
  async run(context, flags, names) {
    const { attach, interactive, checkpoint } = flags.value;
    const query = { checkpoint: checkpoint || undefined, "checkpoint-dir": flags.value["checkpoint-dir"] || undefined };
    if (attach || interactive) {
      if (names.length > 1) throw new CliError("you cannot start and attach multiple containers at once");
      const container = await context.client.json<ContainerInspect>("GET", `${containerPath(names[0] ?? "")}/json`);
      const { Id: id, Config: config } = container;
      const streams = {
        stdin: interactive && config.OpenStdin === true,
        stdout: true,
        stderr: true,
        tty: config.Tty === true,
        detachKeys: flags.value["detach-keys"] || context.config.values.detachKeys || "",
      };
      const remove = container.HostConfig.AutoRemove === true;
      return attachAndStart(context, id, streams, { remove, proxy: !streams.tty, query });
    }
    if (checkpoint !== "" && names.length > 1) throw new CliError("you cannot restore multiple containers at once");
    return startAll(context, names, query);
  },
});

async function startAll(
  context: CliContext,
  names: string[],
  query: Record<string, string | undefined>,
): Promise<number> {
  const failed: string[] = [];
  for (const name of names) {
    try {
      await context.client.send("POST", `${containerPath(name)}/start`, { query });
      context.stdout.print(name);
    } catch (error) {
      context.stderr.print(describeError(error));
      failed.push(name);
    }
  }
  if (failed.length > 0) throw new CliError(`Error: failed to start containers: ${failed.join(", ")}`);
  return 0;
}
