/**
 * `container run`. The order of calls loses nothing: create, then attach and wait side by side, then start, then resize; so all output is
 * seen from the first byte, and the exit however quick it comes.
 */
import { ApiError } from "../../api/client-error.ts";
import { CliError, defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { describeError } from "../errors.ts";
import { flag } from "../flag-kinds.ts";
import type { AttachedStreams } from "../terminal/streams.ts";
import { checkTerminal } from "./attach/attach-container.ts";
import { attachAndStart, StartError } from "./attach/attach-start.ts";
import { dockerFailure } from "./attach/wait-exit.ts";
import { configFlags, createFlags } from "./create/config-flags.ts";
import type { CreateBody } from "./create/create-config.ts";
import { bodyFromFlags, type CreateFlagSet, createContainer, withHelp } from "./create/create-container.ts";

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  args: { min: 1 },
  interspersed: false,
  flags: {
    ...configFlags,
    ...createFlags,
    detach: flag.bool("Run container in background and print container ID", { short: "d" }),
    "sig-proxy": flag.boolOn("Proxy received signals to the process"),
    "detach-keys": flag.string("Override the key sequence for detaching a container"),
    pull: flag.stringWith("missing", 'Pull image before running ("always", "missing", "never")'),
  },
  async run(context, flags, args) {
    const { value } = flags;
    const body = bodyFromFlags(context, flags, args);
    if (value.detach) {
      if (value.attach.length > 0) throw new CliError("conflicting options: cannot specify both --attach and --detach");
      Object.assign(body, { AttachStdin: false, AttachStdout: false, AttachStderr: false, StdinOnce: false });
    } else {
      checkTerminal(context, body);
    }
    const id = await create(context, flags, body);
    const streams: AttachedStreams = {
      stdin: body.AttachStdin === true,
      stdout: body.AttachStdout === true,
      stderr: body.AttachStderr === true,
      tty: value.tty,
      detachKeys: value["detach-keys"] || context.config.values.detachKeys || "",
    };
    try {
      return await attachAndStart(context, id, streams, { remove: value.rm, proxy: value["sig-proxy"] });
    } catch (error) {
      throw error instanceof StartError ? startFailure(context, error.cause) : error;
    } finally {
      // Also when the start failed: the container is there, unless --rm was given.
      if (value.detach) context.stdout.print(id);
    }
  },
});

async function create(context: CliContext, flags: CreateFlagSet, body: CreateBody): Promise<string> {
  try {
    return await createContainer(context, flags, body);
  } catch (error) {
    throw error instanceof CliError ? error : startFailure(context, error);
  }
}

/** 127: the command was not found; 126: it could not be run; 125: anything else of the daemon. */
function startFailure(context: CliContext, error: unknown): CliError {
  const text = error instanceof ApiError ? error.message : describeError(error);
  if (/executable file not found|no such file or directory|system cannot find the file specified/.test(text)) {
    return withHelp(context, error, 127);
  }
  if (/permission denied|is a directory/.test(text)) return withHelp(context, error, 126);
  return withHelp(context, error, dockerFailure);
}
