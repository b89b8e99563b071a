/** `images`, `image ls`. */
import type { ImageSummary } from "../../api/images.ts";
import { goQuote } from "../../base/go-quote.ts";
import { CliError, defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { formatListing } from "../format/listing.ts";
import { listFormat } from "../format/options.ts";
import { filterQuery } from "../values/filters.ts";
import { imageHeader, imageRows } from "./row.ts";
import { renderTree } from "./tree.ts";

const created = "{{if .CreatedSince }}{{.CreatedSince}}{{else}}N/A{{end}}";
const table = `table {{.Repository}}\\t{{.Tag}}\\t{{.ID}}\\t${created}\\t{{.Size}}`;
const tableWithDigest = `table {{.Repository}}\\t{{.Tag}}\\t{{.Digest}}\\t{{.ID}}\\t${created}\\t{{.Size}}`;

export const command = defineCommand({
  usage: "[OPTIONS] [REPOSITORY[:TAG]]",
  args: { min: 0, max: 1 },
  flags: {
    all: flag.bool("Show all images (default hides intermediate images)", { short: "a" }),
    digests: flag.bool("Show digests"),
    filter: flag.filter("Filter output based on conditions provided", { short: "f" }),
    format: listFormat,
    "no-trunc": flag.bool("Don't truncate output"),
    quiet: flag.bool("Only show image IDs", { short: "q" }),
    tree: flag.bool("List multi-platform images as a tree (EXPERIMENTAL)"),
  },
  async run(context, flags, [pattern]) {
    const { all, digests, filter, quiet, tree, "no-trunc": whole } = flags.value;
    const filters = pattern === undefined ? filter : [...filter, `reference=${pattern}`];
    if (tree) {
      const used = (["quiet", "no-trunc", "digests", "format"] as const).find((name) => flags.value[name]);
      if (used) throw new CliError(`--${used === "digests" ? "show-digest" : used} is not yet supported with --tree`);
      return showTree(context, { all: all || undefined, filters: filterQuery(filters) });
    }
    const images = await context.client.json<ImageSummary[]>("GET", "/images/json", {
      query: { all: all || undefined, filters: filterQuery(filters) },
    });
    const source = flags.value.format || (!quiet && context.config.values.imagesFormat) || "table";
    const format = imageFormat(source, quiet, digests);
    const options = { truncate: !whole, digests, needDigest: digests || format.includes("{{.Digest}}") };
    const rows = images.flatMap((image) => imageRows(image, options));
    context.stdout.write(formatListing({ format, header: imageHeader, rows }));
    if (pattern !== undefined && images.length === 0 && context.commandPath[0] === "images") hint(context, pattern);
    return 0;
  },
});

async function showTree(context: CliContext, query: Record<string, string | boolean | undefined>): Promise<number> {
  const images = await context.client.json<ImageSummary[]>("GET", "/images/json", {
    query: { ...query, manifests: true },
  });
  const { stdout } = context;
  stdout.write(renderTree(images, { columns: stdout.size()?.columns ?? 80, terminal: stdout.isTerminal }));
  return 0;
}

/** The template behind `--format`. */
export function imageFormat(source: string, quiet: boolean, digests: boolean): string {
  if (source === "table") return quiet ? "{{.ID}}" : digests ? tableWithDigest : table;
  if (source === "raw") {
    if (quiet) return "image_id: {{.ID}}";
    const digest = digests ? "digest: {{.Digest}}\n" : "";
    return `repository: {{ .Repository }}\ntag: {{.Tag}}\n${digest}image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n`;
  }
  return source.startsWith("table") && digests && !source.includes("{{.Digest}}") ? `${source}\t{{.Digest}}` : source;
}

const subcommands = "build history import inspect list load ls prune pull push rm save tag".split(" ");

/** `docker images ls` lists the images called ls: say what was probably meant. */
function hint(context: CliContext, pattern: string): void {
  if (!subcommands.includes(pattern)) return;
  const meant = `${context.program} image ${pattern}`;
  context.stderr.print(`\nNo images found matching ${goQuote(pattern)}: did you mean ${goQuote(meant)}?`);
}
