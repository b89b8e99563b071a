import { expect, test } from "bun:test";
import type { IpamPool, NetworkCreateRequest } from "../../api/networks.ts";
import { parsePrefix } from "../../linux/inet.ts";
import { resolveNetworkConfig } from "./network-config.ts";
import { bridgeNameOf, configOf, type NetworkPlanContext, planNetwork } from "./network-plan.ts";

const context: NetworkPlanContext = {
  id: "ab".repeat(32),
  created: "2026-01-01T00:00:00Z",
  existing: [],
  used: [],
  pools: undefined,
};
const plan = (request: Partial<NetworkCreateRequest>, more: Partial<NetworkPlanContext> = {}) =>
  planNetwork({ Name: "n", ...request }, { ...context, ...more });
const withPool = (pool: IpamPool) => plan({ IPAM: { Config: [pool] } });

test("elected subnets are small and avoid the host's routes and other networks", () => {
  const first = plan({}, { used: [parsePrefix("172.18.0.0/16")] });
  expect(first.ipam).toEqual([{ subnet: "172.19.0.0/24", gateway: "172.19.0.1" }]);
  const second = plan({ Name: "m" }, { used: [parsePrefix("172.18.0.0/16")], existing: [first] });
  expect(second.ipam[0]?.subnet).toBe("172.19.1.0/24");
  expect(plan({}, { pools: [{ base: "10.5.0.0/16", size: 28 }] }).ipam[0]?.subnet).toBe("10.5.0.0/28");
  expect(() => plan({}, { pools: [{ base: "10.5.0.0/24", size: 24 }], used: [parsePrefix("10.0.0.0/8")] })).toThrow(
    "all predefined address pools have been fully subnetted",
  );
});

test("the user's subnet, range and gateway", () => {
  expect(withPool({ Subnet: "10.1.0.0/16", IPRange: "10.1.5.0/24" }).ipam).toEqual([
    { subnet: "10.1.0.0/16", gateway: "10.1.5.0", gatewayElected: true, ipRange: "10.1.5.0/24" },
  ]);
  expect(withPool({ Subnet: "10.1.0.0/16", IPRange: "10.1.0.0/24" }).ipam[0]?.gateway).toBe("10.1.0.1");
  expect(withPool({ Subnet: "10.1.0.0/24", IPRange: "10.1.0.7/32" }).ipam[0]?.gateway).toBe("10.1.0.7");
  expect(withPool({ Subnet: "10.1.0.0/31" }).ipam[0]?.gateway).toBe("10.1.0.0");
  expect(withPool({ Subnet: "10.1.0.0/16", Gateway: "10.1.0.9" }).ipam[0]?.gateway).toBe("10.1.0.9");
});

const refused: [Partial<NetworkCreateRequest> | IpamPool, string][] = [
  [{ Subnet: "nonsense" }, "invalid network config:\ninvalid subnet nonsense: invalid CIDR block notation"],
  [{ Subnet: "10.1.2.3/16" }, "invalid subnet 10.1.2.3/16: it should be 10.1.0.0/16"],
  [
    { Subnet: "10.1.0.0/16", Gateway: "10.2.0.1" },
    "invalid gateway 10.2.0.1: parent subnet 10.1.0.0/16 doesn't contain",
  ],
  [{ Subnet: "10.1.0.0/24", IPRange: "10.1.0.0/16" }, "CIDR block is bigger than its parent subnet 10.1.0.0/24"],
  [{ Driver: "host" }, 'only one instance of "host" network is allowed'],
  [{ Driver: "ipvlan" }, "networks of driver ipvlan are not built yet"],
  [{ Subnet: "10.1.0.0/24", IPRange: "10.1.0.255/32" }, "allocate gateway (): no available addresses on this pool"],
  [{ Subnet: "10.1.0.0/24", Gateway: "10.1.0.255" }, "failed to allocate gateway (10.1.0.255): Address already in use"],
  [
    { Subnet: "10.1.0.0/24", AuxiliaryAddresses: { a: "10.1.0.1" } },
    "failed to allocate secondary ip address (a:10.1.0.1): Address already in use",
  ],
  [
    { Subnet: "10.1.0.1/24", IPRange: "nonsense" },
    "* invalid subnet 10.1.0.1/24: it should be 10.1.0.0/24\n* invalid ip-range nonsense: invalid CIDR block notation",
  ],
  [{ Driver: "weave" }, 'plugin "weave" not found'],
  [{ Scope: "swarm" }, "cannot create a swarm scoped network when swarm is not active"],
  [{ Options: { "com.docker.network.driver.mtu": "x" } }, 'mtu value: x (strconv.Atoi: parsing "x": invalid syntax)'],
  [{ Options: { "com.docker.network.driver.mtu": "-1" } }, "invalid MTU number: -1"],
  [{ EnableIPv6: true }, "IPv6 in networks is not built yet"],
  [{ Options: { "com.docker.network.bridge.enable_icc": "maybe" } }, "enable_icc value: maybe"],
  [{ Options: { "com.docker.network.bridge.name": 'x"; drop' } }, "invalid bridge name"],
  [{ Options: { "com.docker.network.bridge.inhibit_ipv4": "true" } }, "is not built yet"],
];
for (const [request, message] of refused) {
  test(`refused: ${JSON.stringify(request)}`, () => {
    const isPool = "Subnet" in request;
    expect(() => (isPool ? withPool(request) : plan(request as Partial<NetworkCreateRequest>))).toThrow(message);
  });
}

test("overlap with another network, and its name", () => {
  const other = withPool({ Subnet: "10.1.0.0/16" });
  const again = { IPAM: { Config: [{ Subnet: "10.1.4.0/24" }] } };
  expect(() => plan({ Name: "m", ...again }, { existing: [other] })).toThrow(
    "Pool overlaps with other one on this address space",
  );
  expect(() => plan({}, { existing: [other] })).toThrow("network with name n already exists");
});

test("options shape the bridge", () => {
  const record = plan({
    Options: {
      "com.docker.network.bridge.name": "mine0",
      "com.docker.network.bridge.enable_icc": "false",
      "com.docker.network.driver.mtu": "1400",
      "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
    },
  });
  expect(bridgeNameOf(record)).toBe("mine0");
  expect(bridgeNameOf(plan({}))).toBe("br-abababababab");
  expect(configOf(record, resolveNetworkConfig({}))).toMatchObject({
    icc: false,
    mtu: 1400,
    defaultBindAddress: "127.0.0.1",
    ipMasq: true,
  });
});
