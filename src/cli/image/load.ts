/** `load`, `image load`: an archive in docker's or OCI's layout. */
import { bodyOf } from "../../base/streams.ts";
import { CliError, defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { showProgress } from "../terminal/progress.ts";
import { openInput } from "./import.ts";
import { platformFlag, platformJson } from "./platform.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  args: { min: 0, max: 0 },
  flags: {
    input: flag.string("Read from tar archive file, instead of STDIN", { short: "i" }),
    platform: platformFlag("Load only the given platform variant."),
    quiet: flag.bool("Suppress the load output", { short: "q" }),
  },
  async run(context, flags) {
    const { input, platform } = flags.value;
    if (input === "" && context.stdin.isTerminal) throw new CliError("requested load from stdin, but stdin is empty");
    const quiet = flags.value.quiet || !context.stdout.isTerminal;
    const only = platformJson(platform);
    const response = await context.client.request("POST", "/images/load", {
      query: { quiet, ...(only === undefined ? {} : { platform: only }) },
      headers: { "Content-Type": "application/x-tar" },
      stream: input === "" ? context.stdin.stream() : openInput(input),
    });
    const body = bodyOf(response);
    if ((response.headers.get("content-type") ?? "").startsWith("application/json")) {
      await showProgress(body, {
        write: (text) => context.stdout.write(text),
        columns: context.stdout.size()?.columns,
      });
    } else {
      for await (const chunk of body) await context.stdout.send(chunk);
    }
    return 0;
  },
});
