/** `search`: images of Docker Hub, as the daemon finds them. */
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { formatListing } from "../format/listing.ts";
import { GoObject } from "../format/template/go-type.ts";
import { ellipsis } from "../format/units.ts";
import { authHeader } from "../image/registry-auth.ts";
import { filterQuery } from "../values/filters.ts";

interface SearchResult {
  name: string;
  description: string;
  star_count: number;
  is_official: boolean;
  is_automated?: boolean;
}

const header = {
  Name: "NAME",
  Description: "DESCRIPTION",
  StarCount: "STARS",
  IsOfficial: "OFFICIAL",
  IsAutomated: "AUTOMATED",
};

export const command = defineCommand({
  usage: "[OPTIONS] TERM",
  args: { min: 1, max: 1 },
  flags: {
    filter: flag.filter("Filter output based on conditions provided", { short: "f" }),
    format: flag.string("Pretty-print search using a Go template"),
    limit: flag.int("Max number of search results"),
    "no-trunc": flag.bool("Don't truncate output"),
  },
  async run(context, flags, [term = ""]) {
    const { filter, limit, "no-trunc": whole } = flags.value;
    const results = await context.client.json<SearchResult[]>("GET", "/images/search", {
      query: { term, limit: limit > 0 ? limit : undefined, filters: filterQuery(filter) },
      headers: await authHeader(context, "docker.io"),
    });
    const source = flags.value.format || "table";
    const table = "table {{.Name}}\\t{{.Description}}\\t{{.StarCount}}\\t{{.IsOfficial}}";
    const rows = results.map((result) => searchRow(result, !whole));
    context.stdout.write(formatListing({ format: source === "table" ? table : source, header, rows }));
    return 0;
  },
});

function searchRow(result: SearchResult, truncate: boolean): GoObject {
  const mark = (value: boolean | undefined) => (value ? "[OK]" : "");
  return new GoObject("*registry.searchContext", {
    Description: () => {
      const text = result.description.replaceAll("\n", " ").replaceAll("\r", " ");
      return truncate ? ellipsis(text, 45) : text;
    },
    IsAutomated: () => mark(result.is_automated),
    IsOfficial: () => mark(result.is_official),
    Name: () => result.name,
    StarCount: () => String(result.star_count),
  });
}
