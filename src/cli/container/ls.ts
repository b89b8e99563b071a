/** `ps`, `container ls`. */
import type { ContainerSummary } from "../../api/containers.ts";
import { errorMessage } from "../../base/errors.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { formatListing } from "../format/listing.ts";
import { listFormat } from "../format/options.ts";
import { Template } from "../format/template/exec.ts";
import { GoObject, natural } from "../format/template/go-type.ts";
import { filterQuery } from "../values/filters.ts";
import { containerHeader, containerRow } from "./row.ts";

const table = "table {{.ID}}\\t{{.Image}}\\t{{.Command}}\\t{{.RunningFor}}\\t{{.Status}}\\t{{.Ports}}\\t{{.Names}}";
const raw = `container_id: {{.ID}}
image: {{.Image}}
command: {{.Command}}
created_at: {{.CreatedAt}}
state: {{- pad .State 1 0}}
status: {{- pad .Status 1 0}}
names: {{.Names}}
labels: {{- pad .Labels 1 0}}
ports: {{- pad .Ports 1 0}}
`;

export const command = defineCommand({
  usage: "[OPTIONS]",
  args: { min: 0, max: 0 },
  flags: {
    all: flag.bool("Show all containers (default shows just running)", { short: "a" }),
    filter: flag.filter("Filter output based on conditions provided", { short: "f" }),
    format: listFormat,
    last: flag.intWith(-1, "Show n last created containers (includes all states)", { short: "n" }),
    latest: flag.bool("Show the latest created container (includes all states)", { short: "l" }),
    "no-trunc": flag.bool("Don't truncate output"),
    quiet: flag.bool("Only display container IDs", { short: "q" }),
    size: flag.bool("Display total file sizes", { short: "s" }),
  },
  async run(context, flags) {
    const { all, filter, last, latest, quiet, size, "no-trunc": whole } = flags.value;
    const given = flags.value.format;
    if (given !== "" && quiet) {
      context.stderr.print("WARNING: Ignoring custom format, because both --format and --quiet are set.");
    }
    const limit = last === -1 && latest ? 1 : last;
    // Sizes are dear: they are asked for when the flag says so, or when the template shows them.
    const shown = given !== "" && showsSize(given);
    const wantsSize = size || (shown && !quiet && !flags.changed("size"));
    const containers = await context.client.json<ContainerSummary[]>("GET", "/containers/json", {
      query: {
        all: all || undefined,
        limit: limit > 0 ? limit : undefined,
        size: wantsSize || undefined,
        filters: filterQuery(filter),
      },
    });
    const rows = containers.map((container) => containerRow(container, !whole));
    const format = chooseFormat(given || context.config.values.psFormat || "table", quiet, wantsSize);
    context.stdout.write(formatListing({ format, header: containerHeader, rows }));
    return 0;
  },
});

/** Runs the template once over an empty row: wrong templates fail before any call, and it shows whether `.Size` is used. */
function showsSize(format: string): boolean {
  const template = explained("failed to parse template", () => new Template(format));
  const { methods } = containerRow(emptyContainer, true);
  let used = false;
  const probe = new GoObject("*formatter.ContainerContext", {
    ...methods,
    Size: () => {
      used = true;
      return "";
    },
  });
  explained("failed to execute template", () => template.execute(natural(probe)));
  return used;
}

function explained<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new Error(`${what}: ${errorMessage(error)}`, { cause: error });
  }
}

const emptyContainer: ContainerSummary = {
  Id: "",
  Names: [],
  Image: "",
  ImageID: "",
  Command: "",
  Created: 0,
  Ports: [],
  Labels: {},
  State: "created",
  Status: "",
  HostConfig: { NetworkMode: "" },
  NetworkSettings: { Networks: {} },
  Mounts: [],
};

/** The template behind `--format`: the names table and raw, or the text itself. */
export function chooseFormat(source: string, quiet: boolean, size: boolean): string {
  if (source === "raw") return quiet ? "container_id: {{.ID}}" : raw + (size ? "size: {{.Size}}\\n" : "");
  if (quiet) return "{{.ID}}";
  return source === "table" ? table + (size ? "\\t{{.Size}}" : "") : source;
}
