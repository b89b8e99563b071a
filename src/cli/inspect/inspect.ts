/** `inspect`: any kind of object by name or id. */

import { goQuote } from "../../base/go-quote.ts";
import { CliError, defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { inspectFormat } from "../format/options.ts";
import { type Finder, findAny, findContainer, findImage, findNetwork, findVolume } from "./find.ts";
import { inspectAll } from "./inspector.ts";

const kinds = ["config", "container", "image", "network", "node", "plugin", "secret", "service", "task", "volume"];

export const command = defineCommand({
  usage: "[OPTIONS] NAME|ID [NAME|ID...]",
  args: { min: 1 },
  flags: {
    format: inspectFormat,
    size: flag.bool("Display total file sizes if the type is container", { short: "s" }),
    type: flag.string("Only inspect objects of the given type"),
  },
  async run(context, flags, args) {
    const { format, size, type } = flags.value;
    const known = `must be one of ${kinds.map((kind) => `"${kind}"`).join(", ")}`;
    if (flags.changed("type") && type === "") throw new CliError(`type is empty: ${known}`);
    if (type !== "" && !kinds.includes(type)) throw new CliError(`unknown type: ${goQuote(type)}: ${known}`);
    return inspectAll(context, args, format, finderOf(context, type, size));
  },
});

function finderOf(context: CliContext, type: string, size: boolean): Finder {
  if (size && type !== "" && type !== "container") context.stderr.print(`WARNING: --size ignored for ${type}`);
  switch (type) {
    case "":
      return findAny(context, size);
    case "container":
      return findContainer(context, size);
    case "image":
      return findImage(context);
    case "network":
      return findNetwork(context);
    case "volume":
      return findVolume(context);
  }
  throw new CliError(`inspecting objects of type ${type} is not supported`);
}
