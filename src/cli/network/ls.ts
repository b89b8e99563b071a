/** `network ls`. */
import type { NetworkInspect } from "../../api/networks.ts";
import { shortId } from "../../base/ids.ts";
import { defineCommand } from "../command.ts";
import { showLabels } from "../container/row.ts";
import { flag } from "../flag-kinds.ts";
import { formatListing } from "../format/listing.ts";
import { listFormat } from "../format/options.ts";
import { GoObject, timeType } from "../format/template/go-type.ts";
import { formatValue } from "../format/template/print.ts";
import { filterQuery } from "../values/filters.ts";
import { naturalCompare } from "../values/natural-sort.ts";

const header = {
  ID: "NETWORK ID",
  Name: "NAME",
  Driver: "DRIVER",
  Scope: "SCOPE",
  IPv4: "IPV4",
  IPv6: "IPV6",
  Internal: "INTERNAL",
  Labels: "LABELS",
  CreatedAt: "CREATED AT",
};

export const command = defineCommand({
  usage: "[OPTIONS]",
  args: { min: 0, max: 0 },
  flags: {
    filter: flag.filter('Provide filter values (e.g. "driver=bridge")', { short: "f" }),
    format: listFormat,
    "no-trunc": flag.bool("Do not truncate the output"),
    quiet: flag.bool("Only display network IDs", { short: "q" }),
  },
  async run(context, flags) {
    const { filter, quiet, "no-trunc": whole } = flags.value;
    const source = flags.value.format || (!quiet && context.config.values.networksFormat) || "table";
    const list = await context.client.json<NetworkInspect[]>("GET", "/networks", {
      query: { filters: filterQuery(filter) },
    });
    const networks = [...list].sort((a, b) => naturalCompare(a.Name, b.Name));
    const rows = networks.map((network) => networkRow(network, !whole));
    context.stdout.write(formatListing({ format: chooseFormat(source, quiet), header, rows }));
    return 0;
  },
});

function chooseFormat(source: string, quiet: boolean): string {
  if (source === "table") return quiet ? "{{.ID}}" : "table {{.ID}}\\t{{.Name}}\\t{{.Driver}}\\t{{.Scope}}";
  if (source === "raw") {
    return quiet
      ? "network_id: {{.ID}}"
      : "network_id: {{.ID}}\\nname: {{.Name}}\\ndriver: {{.Driver}}\\nscope: {{.Scope}}\\n";
  }
  return source;
}

function networkRow(network: NetworkInspect, truncate: boolean): GoObject {
  return new GoObject("*network.networkContext", {
    CreatedAt: () => formatValue({ type: timeType, value: network.Created }, 0),
    Driver: () => network.Driver,
    ID: () => (truncate ? shortId(network.Id) : network.Id),
    IPv4: () => String(network.EnableIPv4 ?? false),
    IPv6: () => String(network.EnableIPv6 ?? false),
    Internal: () => String(network.Internal ?? false),
    Label: (name) => network.Labels?.[name] ?? "",
    Labels: () => showLabels(network.Labels),
    Name: () => network.Name,
    Scope: () => network.Scope,
  });
}
