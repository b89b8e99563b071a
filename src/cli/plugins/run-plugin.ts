/**
 * Runs a plugin of Docker's CLI in place of a command. It gets the whole command line, this program's streams and two variables: how to
 * start this program again, and a socket whose end tells it to stop when no terminal sends it the signal.
 */
import { randomBytes } from "node:crypto";
import { createServer, type Socket } from "node:net";
import { CliError } from "../command.ts";
import type { CliContext } from "../context.ts";
import { onTermination } from "../terminal/termination.ts";
import { findPlugin, pluginDirectories, pluginEnvironment, withPlugin } from "./plugins.ts";

const patience = 3;

/** The exit code of the plugin called as `argv[at]`; undefined if there is none. `argv` is the command line without the program's name. */
export async function runPlugin(context: CliContext, argv: readonly string[], at: number): Promise<number | undefined> {
  const line = withPlugin(argv, at);
  const plugin = await findPlugin(line[at] ?? "", pluginDirectories(context.config));
  if (!plugin) return undefined;
  await using stop = await stopSocket();
  const child = Bun.spawn([plugin.Path, ...line], {
    stdio: ["inherit", "inherit", "inherit"],
    env: { ...pluginEnvironment(context), DOCKER_CLI_PLUGIN_SOCKET: stop.address },
  });
  using _ = onTermination((count) => {
    // A terminal has told the plugin, too: it belongs to the same process group.
    if (context.stdout.isTerminal) return;
    stop.close();
    if (count < patience) return;
    child.kill("SIGKILL");
    context.stderr.print("got 3 SIGTERM/SIGINTs, forcefully exiting");
    process.exit(1);
  });
  const code = await child.exited;
  if (code !== 0) throw new CliError("", child.signalCode === null ? code : 255);
  return 0;
}

/** An abstract socket: whoever has connected sees its end when `close` is called, or this process ends. */
async function stopSocket() {
  const address = `docker_cli_${randomBytes(16).toString("hex")}`;
  const connections = new Set<Socket>();
  const server = createServer((connection) => {
    connections.add(connection);
    connection.on("error", () => connection.destroy());
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(`\0${address}`, resolve));
  const close = () => {
    for (const connection of connections) connection.destroy();
    server.close();
  };
  return { address: `@${address}`, close, [Symbol.asyncDispose]: async () => close() };
}
