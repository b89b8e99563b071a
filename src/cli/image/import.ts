/** `import`, `image import`: a file, a URL that the daemon fetches, or standard input. */
import { openSync } from "node:fs";
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { openFailure } from "../paths.ts";
import { showProgress } from "../terminal/progress.ts";

export const command = defineCommand({
  usage: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
  args: { min: 1 },
  flags: {
    change: flag.list("Apply Dockerfile instruction to the created image", { short: "c" }),
    message: flag.string("Set commit message for imported image", { short: "m" }),
    platform: flag.string("Set platform if server is multi-platform capable"),
  },
  async run(context, flags, [source = "", reference = ""]) {
    const { change, message, platform } = flags.value;
    const isUrl = /^https?:\/\//.test(source);
    const body = isUrl ? undefined : source === "-" ? context.stdin.stream() : openInput(source);
    const stream = await context.client.stream("POST", "/images/create", {
      query: {
        fromSrc: isUrl ? source : "-",
        repo: reference || undefined,
        message: message || undefined,
        changes: change,
        platform: platform ? platform.toLowerCase() : undefined,
      },
      headers: { "Content-Type": "text/plain" },
      ...(body === undefined ? {} : { stream: body }),
    });
    await showProgress(stream, {
      write: (text) => context.stdout.write(text),
      columns: context.stdout.size()?.columns,
    });
    return 0;
  },
});

/** A file as a request body; throws in Go's words when it cannot be opened. */
export function openInput(path: string): Blob {
  try {
    return Bun.file(openSync(path, "r"));
  } catch (error) {
    throw openFailure(path, error);
  }
}
