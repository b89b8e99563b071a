import { expect, test } from "bun:test";
import type { EndpointSettings } from "../../../api/networks.ts";
import type { NetworkRecord } from "../network-store.ts";
import { joinProblems } from "../problems.ts";
import { endpointProblems } from "./endpoint-problems.ts";

const network: NetworkRecord = {
  id: "n",
  name: "app",
  driver: "bridge",
  created: "",
  ipam: [{ subnet: "10.1.0.0/24", gateway: "10.1.0.1", ipRange: "10.1.0.128/25" }],
  options: {},
  labels: {},
  userSubnet: true,
};
const elsewhere =
  "user specified IP address is supported only when connecting to networks with user configured subnets";
const cases: [string, Partial<NetworkRecord>, EndpointSettings, string[]][] = [
  ["nothing asked", {}, {}, []],
  ["an address of the subnet, outside of the range", {}, { IPAMConfig: { IPv4Address: "10.1.0.9" } }, []],
  [
    "an address outside",
    {},
    { IPAMConfig: { IPv4Address: "10.2.0.9" } },
    ["no configured subnet or ip-range contain the IP address 10.2.0.9"],
  ],
  [
    "no address",
    {},
    { IPAMConfig: { IPv4Address: "x" } },
    ["invalid IPv4 address: x", "no configured subnet or ip-range contain the IP address x"],
  ],
  ["a subnet that the daemon chose", { userSubnet: false }, { IPAMConfig: { IPv4Address: "10.1.0.9" } }, [elsewhere]],
  ["version 6", {}, { IPAMConfig: { IPv6Address: "fd00::1" } }, [elsewhere]],
  [
    "the default bridge",
    { name: "bridge", userSubnet: false },
    { IPAMConfig: { IPv4Address: "172.17.0.9" }, Aliases: ["x"] },
    [
      "user specified IP address is supported on user defined networks only",
      "network-scoped alias is supported only for containers in user defined networks",
      elsewhere,
    ],
  ],
];
for (const [name, change, settings, problems] of cases) {
  test(name, () => expect(endpointProblems({ ...network, ...change }, settings)).toEqual(problems));
}

test("several problems become a list", () => {
  expect(joinProblems(["a"])).toBe("a");
  expect(joinProblems(["a", "b"])).toBe("* a\n* b");
});
