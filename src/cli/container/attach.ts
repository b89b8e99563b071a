/** `container attach`. */
import type { ContainerInspect } from "../../api/containers.ts";
import { CliError, defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { pumpStreams } from "../terminal/streams.ts";
import { checkTerminal, openAttach } from "./attach/attach-container.ts";
import { followTerminalSize, proxySignals } from "./attach/signals.ts";
import { waitForExit } from "./attach/wait-exit.ts";
import { containerPath } from "./names.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  args: { min: 1, max: 1 },
  flags: {
    "no-stdin": flag.bool("Do not attach STDIN"),
    "sig-proxy": flag.boolOn("Proxy all received signals to the process"),
    "detach-keys": flag.string("Override the key sequence for detaching a container"),
  },
  async run(context, flags, [name = ""]) {
    const { value } = flags;
    const { client } = context;
    const { Id: id, Config: config } = await inspectRunning(context, name);
    checkTerminal(context, { AttachStdin: !value["no-stdin"], Tty: config.Tty === true });
    const streams = {
      stdin: !value["no-stdin"] && config.OpenStdin === true,
      stdout: true,
      stderr: true,
      tty: config.Tty === true,
      detachKeys: value["detach-keys"] || context.config.values.detachKeys || "",
    };
    using _signals = value["sig-proxy"] && !streams.tty ? proxySignals(client, id) : undefined;
    const [exit, connection] = await Promise.all([
      waitForExit(client, id, "not-running", (text) => context.stderr.print(text)),
      openAttach(client, id, streams),
    ]);
    // It may have stopped between the two looks, and then its streams would never end.
    await inspectRunning(context, name);
    const isTerminal = streams.tty && context.stdout.isTerminal;
    if (isTerminal) await nudgeSize(context, id);
    using _sizes = isTerminal ? followTerminalSize(context, `/containers/${id}/resize`) : undefined;
    const end = await pumpStreams(context, connection, streams);
    if (end === "detached") throw new CliError("read escape sequence");
    return exit.code;
  },
});

async function inspectRunning(context: CliContext, name: string): Promise<ContainerInspect> {
  const container = await context.client.json<ContainerInspect>("GET", `${containerPath(name)}/json`);
  const { State: state } = container;
  if (!state.Running) throw new CliError("You cannot attach to a stopped container, start it first");
  if (state.Paused) throw new CliError("You cannot attach to a paused container, unpause it first");
  if (state.Restarting) throw new CliError("You cannot attach to a restarting container, wait until it is running");
  return container;
}

/** A size that differs makes the program in the container draw its screen again for the new viewer. */
async function nudgeSize(context: CliContext, id: string): Promise<void> {
  const size = context.stdout.size();
  if (!size) return;
  const query = { h: size.rows + 1, w: size.columns + 1 };
  await context.client.send("POST", `/containers/${id}/resize`, { query }).catch(() => undefined);
}
