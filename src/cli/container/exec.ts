/** `container exec`. */
import type { ExecCreateRequest, ExecInspect, ExecStartRequest } from "../../api/containers.ts";
import { CliError, defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { type AttachedStreams, pumpStreams } from "../terminal/streams.ts";
import { checkTerminal } from "./attach/attach-container.ts";
import { followTerminalSize } from "./attach/signals.ts";
import * as kinds from "./create/config-kinds.ts";
import { readKeyValues } from "./create/kv-files.ts";
import { containerPath } from "./names.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  args: { min: 2 },
  interspersed: false,
  flags: {
    "detach-keys": flag.string("Override the key sequence for detaching a container"),
    interactive: flag.bool("Keep STDIN open even if not attached", { short: "i" }),
    tty: flag.bool("Allocate a pseudo-TTY", { short: "t" }),
    detach: flag.bool("Detached mode: run command in the background", { short: "d" }),
    user: flag.string('Username or UID (format: "<name|uid>[:<group|gid>]")', { short: "u" }),
    privileged: flag.bool("Give extended privileges to the command"),
    env: flag.list("Set environment variables", { short: "e", validate: kinds.envVariable }),
    "env-file": flag.list("Read in a file of environment variables"),
    workdir: flag.string("Working directory inside the container", { short: "w" }),
  },
  async run(context, flags, [name = "", ...words]) {
    const { value } = flags;
    const attached = !value.detach;
    const streams: AttachedStreams = {
      stdin: attached && value.interactive,
      stdout: attached,
      stderr: attached,
      tty: value.tty,
      detachKeys: value["detach-keys"] || context.config.values.detachKeys || "",
    };
    const size = value.tty ? context.stdout.size() : undefined;
    const start: ExecStartRequest = {
      Detach: value.detach,
      Tty: value.tty,
      ...(size ? { ConsoleSize: [size.rows, size.columns] } : {}),
    };
    const env = readKeyValues(value["env-file"], value.env, (variable) => context.env[variable]);
    await checkInput(context, name, streams);
    const request: ExecCreateRequest = {
      User: value.user,
      Privileged: value.privileged,
      Tty: value.tty,
      ...(size ? { ConsoleSize: [size.rows, size.columns] } : {}),
      AttachStdin: streams.stdin,
      AttachStderr: attached,
      AttachStdout: attached,
      DetachKeys: streams.detachKeys,
      Env: env.length > 0 ? env : null,
      WorkingDir: value.workdir,
      Cmd: words,
    };
    const { Id: id } = await context.client.json<{ Id: string }>("POST", `${containerPath(name)}/exec`, {
      body: request,
    });
    if (id === "") throw new CliError("exec ID empty");
    if (value.detach) {
      await context.client.send("POST", `/exec/${id}/start`, { body: start });
      return 0;
    }
    return interact(context, id, streams, start);
  },
});

/** A terminal asked for without one is an error, but a container that does not exist is the more telling one. */
async function checkInput(context: CliContext, name: string, streams: AttachedStreams): Promise<void> {
  if (!streams.stdin || !streams.tty || context.stdin.isTerminal) return;
  await context.client.send("GET", `${containerPath(name)}/json`);
  checkTerminal(context, { AttachStdin: true, Tty: true });
}

async function interact(
  context: CliContext,
  id: string,
  streams: AttachedStreams,
  start: ExecStartRequest,
): Promise<number> {
  const connection = await context.client.hijack(`/exec/${id}/start`, { body: start });
  const sizes = streams.tty && context.stdin.isTerminal ? followTerminalSize(context, `/exec/${id}/resize`) : undefined;
  using _sizes = sizes;
  const end = await pumpStreams(context, connection, streams);
  if (end === "detached") throw new CliError("read escape sequence");
  const state = await context.client.json<ExecInspect>("GET", `/exec/${id}/json`);
  return state.ExitCode ?? 0;
}
