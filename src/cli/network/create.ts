/** `network create`. */
import type { IpamPool, NetworkCreateRequest } from "../../api/networks.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { labelMap } from "../volume/create.ts";
import { ipamPools } from "./ipam.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NETWORK",
  args: { min: 1, max: 1 },
  flags: {
    attachable: flag.bool("Enable manual container attachment"),
    "aux-address": flag.map("Auxiliary IPv4 or IPv6 addresses used by Network driver"),
    "config-from": flag.string("The network from which to copy the configuration"),
    "config-only": flag.bool("Create a configuration only network"),
    driver: flag.stringWith("bridge", "Driver to manage the Network", { short: "d" }),
    gateway: flag.commaList("IPv4 or IPv6 Gateway for the master subnet"),
    ingress: flag.bool("Create swarm routing-mesh network"),
    internal: flag.bool("Restrict external access to the network"),
    "ip-range": flag.commaList("Allocate container ip from a sub-range"),
    "ipam-driver": flag.stringWith("default", "IP Address Management Driver"),
    "ipam-opt": flag.map("Set IPAM driver specific options"),
    ipv4: flag.boolOn("Enable or disable IPv4 address assignment"),
    ipv6: flag.bool("Enable or disable IPv6 address assignment"),
    label: flag.list("Set metadata on a network"),
    opt: flag.map("Set driver specific options", { short: "o" }),
    scope: flag.string("Control the network's scope"),
    subnet: flag.commaList("Subnet in CIDR format that represents a network segment"),
  },
  async run(context, flags, [name = ""]) {
    const { value } = flags;
    const pools: IpamPool[] = ipamPools({
      subnets: value.subnet,
      ranges: value["ip-range"],
      gateways: value.gateway,
      auxiliary: value["aux-address"],
    });
    const from = value["config-from"];
    const body: NetworkCreateRequest = {
      Driver: value.driver,
      Scope: value.scope,
      ...(flags.changed("ipv4") ? { EnableIPv4: value.ipv4 } : {}),
      ...(flags.changed("ipv6") ? { EnableIPv6: value.ipv6 } : {}),
      IPAM: { Driver: value["ipam-driver"], Options: value["ipam-opt"], Config: pools },
      Internal: value.internal,
      Attachable: value.attachable,
      Ingress: value.ingress,
      ConfigOnly: value["config-only"],
      ConfigFrom: from === "" ? null : { Network: from },
      Options: value.opt,
      Labels: labelMap(value.label),
      Name: name,
    };
    const { Id } = await context.client.json<{ Id: string }>("POST", "/networks/create", { body });
    context.stdout.print(Id);
    return 0;
  },
});
