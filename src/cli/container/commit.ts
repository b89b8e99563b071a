/** `container commit`, with `--run` of the first docker versions: a JSON configuration whose fields change the image's. */

import { errorMessage } from "../../base/errors.ts";
import { goQuote } from "../../base/go-quote.ts";
import { familiarName, parseReference } from "../../oci/reference.ts";
import { CliError, defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
  args: { min: 1, max: 2 },
  flags: {
    author: flag.string('Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")', { short: "a" }),
    change: flag.list("Apply Dockerfile instruction to the created image", { short: "c" }),
    message: flag.string("Commit message", { short: "m" }),
    pause: flag.boolOn("Pause container during commit", { short: "p" }),
    run: flag.string("Configuration to apply when the image is run (JSON)", { hidden: true }),
  },
  async run(context, flags, [container = "", reference = ""]) {
    const { author, change, message, pause, run } = flags.value;
    const response = await context.client.json<{ Id: string }>("POST", "/commit", {
      query: {
        container,
        ...target(reference),
        comment: message || undefined,
        author: author || undefined,
        changes: change,
        pause: pause ? undefined : false,
      },
      body: run === "" ? {} : parseRun(run),
    });
    context.stdout.print(response.Id);
    return 0;
  },
});

function target(reference: string): { repo?: string; tag?: string } {
  if (reference === "") return {};
  const parsed = parseReference(reference);
  if (parsed.digest !== undefined) throw new CliError("refusing to create a tag with a digest reference");
  return { repo: familiarName(parsed), tag: parsed.tag ?? "latest" };
}

/** PortSpecs (`"8080:22"`, `"22"`) is what ExposedPorts was called then; the daemon knows only the new name. */
function parseRun(text: string): object {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (error) {
    throw new CliError(`invalid argument ${goQuote(text)} for "--run" flag: ${errorMessage(error)}`);
  }
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new CliError(`invalid argument ${goQuote(text)} for "--run" flag: not a JSON object`);
  }
  if (!("PortSpecs" in config) || !Array.isArray(config.PortSpecs)) return config;
  const { PortSpecs: specs, ...rest } = config;
  const ports = specs.map((spec: unknown) => String(spec).split(":").at(-1) ?? "");
  const exposed = Object.fromEntries(ports.map((port) => [port.includes("/") ? port : `${port}/tcp`, {}]));
  return { ...rest, ExposedPorts: exposed };
}
