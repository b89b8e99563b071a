import { expect, test } from "bun:test";
import { parsePrefix } from "../../../linux/inet.ts";
import { networkNames } from "../settings/network-names.ts";
import { lowestFreeAddress } from "./addresses.ts";
import { electSubnet, subnetOfBip, usedPrefixes } from "./subnets.ts";

test("the first range that overlaps nothing in use is taken", () => {
  expect(electSubnet([])).toEqual({ subnet: "172.17.0.0/16", gateway: "172.17.0.1" });
  const used = ["172.17.0.0/16", "172.18.4.0/24", "10.0.0.0/8"].map(parsePrefix);
  expect(electSubnet(used).subnet).toBe("172.19.0.0/16");
  expect(electSubnet([parsePrefix("172.16.0.0/12")]).subnet).toBe("192.168.0.0/20");
  expect(electSubnet([parsePrefix("10.1.0.0/24")], [{ base: "10.1.0.0/16", size: 24 }]).subnet).toBe("10.1.1.0/24");
  expect(() => electSubnet([parsePrefix("0.0.0.0/0")])).toThrow(
    "all predefined address pools have been fully subnetted",
  );
});

test("routes count, but not the default one nor our own bridge's; name servers count, too", () => {
  const routes = [
    { destination: "0.0.0.0", prefix: 0, linkName: "eth0" },
    { destination: "172.17.0.0", prefix: 16, linkName: "gantry0" },
    { destination: "172.18.0.0", prefix: 16, linkName: "docker0" },
  ];
  const used = usedPrefixes(routes, ["172.19.0.53", "::1"], "gantry0");
  expect(used).toEqual([parsePrefix("172.18.0.0/16"), parsePrefix("172.19.0.53/32"), parsePrefix("::1/128")]);
});

test("--bip gives subnet and gateway", () => {
  expect(subnetOfBip("10.20.30.1/22")).toEqual({ subnet: "10.20.28.0/22", gateway: "10.20.30.1" });
  expect(() => subnetOfBip("10.20.30.1")).toThrow("invalid CIDR address");
});

test("addresses are given from the lowest on, never the network's own nor the broadcast address", () => {
  const taken = new Set(["10.0.0.1", "10.0.0.2"]);
  const next = (subnet: string) => lowestFreeAddress(subnet, taken, "bridge (id)");
  expect(next("10.0.0.0/24")).toBe("10.0.0.3");
  expect(() => next("10.0.0.0/30")).toThrow("no available IPv4 addresses on this network's address pools: bridge (id)");
});

test("instances have names of their own that fit a link's name", () => {
  expect(networkNames("default").bridge).toBe("gantry0");
  const [one, two] = [networkNames("/run/one"), networkNames("/run/two")];
  expect(one.bridge.length).toBeLessThanOrEqual(15);
  expect(new Set([one.bridge, two.bridge, one.table, two.table]).size).toBe(4);
  expect(networkNames("x", "br9").bridge).toBe("br9");
});
