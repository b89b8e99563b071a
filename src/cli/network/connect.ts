/** `network connect`. */
import type { EndpointSettings } from "../../api/networks.ts";
import { CliError, defineCommand } from "../command.ts";
import { flag, splitPair } from "../flag-kinds.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NETWORK CONTAINER",
  args: { min: 2, max: 2 },
  flags: {
    alias: flag.commaList("Add network-scoped alias for the container"),
    "driver-opt": flag.commaList("driver options for the network"),
    "gw-priority": flag.int("Highest gw-priority provides the default gateway. Accepts positive and negative values."),
    ip: flag.string('IPv4 address (e.g., "172.30.100.104")'),
    ip6: flag.string('IPv6 address (e.g., "2001:db8::33")'),
    link: flag.list("Add link to another container"),
    "link-local-ip": flag.commaList("Add a link-local address for the container"),
  },
  async run(context, flags, [network = "", container = ""]) {
    const {
      alias,
      ip,
      ip6,
      link,
      "driver-opt": options,
      "gw-priority": priority,
      "link-local-ip": local,
    } = flags.value;
    const EndpointConfig: EndpointSettings = {
      IPAMConfig: {
        ...(ip === "" ? {} : { IPv4Address: ip }),
        ...(ip6 === "" ? {} : { IPv6Address: ip6 }),
        ...(local.length === 0 ? {} : { LinkLocalIPs: local }),
      },
      Links: link.length === 0 ? null : link,
      Aliases: alias.length === 0 ? null : alias,
      DriverOpts: options.length === 0 ? null : driverOptions(options),
      GwPriority: priority,
    };
    await context.client.send("POST", `/networks/${encodeURIComponent(network)}/connect`, {
      body: { Container: container, EndpointConfig },
    });
    return 0;
  },
});

function driverOptions(items: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    items.map((item) => {
      const [name, value] = splitPair(item);
      if (name.trim() === "" || !item.includes("=")) throw new CliError(`invalid key=value pair in driver options`);
      return [name.trim().toLowerCase(), value.trim()];
    }),
  );
}
