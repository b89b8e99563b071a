/** Opening the streams of a container, for `run`, `start -a` and `attach`. */
import type { ApiClient } from "../../../api/client.ts";
import type { HijackedStream } from "../../../api/client-hijack.ts";
import { CliError } from "../../command.ts";
import type { CliContext } from "../../context.ts";
import type { AttachedStreams } from "../../terminal/streams.ts";

/** Throws when a terminal is wanted for typed input and there is none. */
export function checkTerminal(context: CliContext, config: { AttachStdin?: boolean; Tty?: boolean }): void {
  if (config.AttachStdin && config.Tty && !context.stdin.isTerminal)
    throw new CliError("the input device is not a TTY");
}

export function openAttach(client: ApiClient, container: string, streams: AttachedStreams): Promise<HijackedStream> {
  return client.hijack(`/containers/${container}/attach`, {
    query: {
      stream: true,
      stdin: streams.stdin || undefined,
      stdout: streams.stdout || undefined,
      stderr: streams.stderr || undefined,
      detachKeys: streams.detachKeys || undefined,
    },
  });
}
