import { expect, test } from "bun:test";
import type { IpamPool, NetworkCreateRequest } from "../../../api/networks.ts";
import { parsePrefix } from "../../../linux/inet.ts";
import { type NetworkPlanContext, planNetwork } from "./network-plan.ts";

const context: NetworkPlanContext = {
  id: "ab".repeat(32),
  created: "2026-01-01T00:00:00Z",
  existing: [],
  used: [],
  pools: undefined,
  localPools: [{ base: "fd12:3456:789a::/48", size: 64 }],
  defaultOptions: undefined,
  mtu: 1500,
};
const plan = (request: Partial<NetworkCreateRequest>, more: Partial<NetworkPlanContext> = {}) =>
  planNetwork({ Name: "n", ...request }, { ...context, ...more });
const withPool = (pool: IpamPool) => plan({ IPAM: { Config: [pool] } });

test("elected subnets are small and avoid the host's routes and other networks", () => {
  const first = plan({}, { used: [parsePrefix("172.18.0.0/16")] });
  expect(first.ipam).toEqual([{ subnet: "172.19.0.0/24", gateway: "172.19.0.1", elected: true }]);
  const second = plan({ Name: "m" }, { id: "cd".repeat(32), used: [parsePrefix("172.18.0.0/16")], existing: [first] });
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
  [{ Driver: "overlay" }, "This node is not a swarm manager."],
  [{ EnableIPv4: false }, "IPv4 or IPv6 must be enabled"],
  [{ Options: { "com.docker.network.enable_ipv4": "false" } }, "IPv4 or IPv6 must be enabled"],
  [{ EnableIPv6: true, IPAM: { Config: [{ Subnet: "fd00::7/64" }] } }, "it should be fd00::/64"],
  [
    { EnableIPv6: true, IPAM: { Config: [{ Subnet: "fd00::/64" }, { Subnet: "fd01::/64" }] } },
    "bridge driver doesn't support multiple subnets",
  ],
  [{ Subnet: "fd00::/64", IPRange: "10.1.0.0/24" }, "parent subnet fd00::/64 doesn't contain ip-range"],
  [{ Subnet: "fd00::/64", Gateway: "10.1.0.1" }, "parent subnet fd00::/64 doesn't contain this address"],
  [{ Subnet: "10.1.0.0/08" }, "invalid subnet 10.1.0.0/08: invalid CIDR block notation"],
  [{ Subnet: "ff02::/64" }, "loopback and multicast addresses are not for hosts"],
  [{ Subnet: "::1/128" }, "loopback and multicast addresses are not for hosts"],
  [{ IPAM: { Config: [{}] } }, "invalid subnet : invalid CIDR block notation"],
  [{ Options: { "com.docker.network.bridge.name": "br%d" } }, "invalid bridge name"],
  [
    { Subnet: "10.1.0.0/24", AuxiliaryAddresses: { a: "10.1.0.7", b: "10.1.0.7" } },
    "failed to allocate secondary ip address (b:10.1.0.7): Address already in use",
  ],
  [{ Subnet: "10.1.0.0/24", AuxiliaryAddresses: { a: "10.2.0.7" } }, "invalid auxiliary address a: parent subnet"],
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
  [{ Options: { "com.docker.network.bridge.enable_icc": "maybe" } }, "enable_icc value: maybe"],
  [{ Options: { "com.docker.network.bridge.name": 'x"; drop' } }, "invalid bridge name"],
  [{ Options: { "com.docker.network.bridge.inhibit_ipv4": "maybe" } }, "inhibit_ipv4 value: maybe"],
  [
    { Options: { "com.docker.network.bridge.gateway_mode_ipv4": "isolated" } },
    "gateway mode 'isolated' can only be used for an internal network",
  ],
  [{ Options: { "com.docker.network.host_ipv4": "fd00::1" } }, "not an IPv4 address"],
  [{ Options: { "com.docker.network.bridge.trusted_host_interfaces": 'eth0:a"b' } }, "trusted_host_interfaces value"],
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

test("version 6: its own ranges, beside those of version 4 or alone", () => {
  const both = plan({ EnableIPv6: true });
  expect(both).toMatchObject({ ipv6: true, ipam: [{ subnet: "172.18.0.0/24" }, { subnet: "fd12:3456:789a::/64" }] });
  const alone = plan({ Name: "m", EnableIPv4: false, EnableIPv6: true }, { id: "cd", existing: [both] });
  expect(alone.ipam).toEqual([{ subnet: "fd12:3456:789a:1::/64", gateway: "fd12:3456:789a:1::1", elected: true }]);
  const given = plan({ EnableIPv6: true, IPAM: { Config: [{ Subnet: "fd00::/127" }, { Subnet: "10.1.0.0/24" }] } });
  expect(given.ipam.map(({ gateway }) => gateway)).toEqual(["10.1.0.1", "fd00::1"]);
  // A subnet of a version that is not enabled is kept and not used.
  const unused = plan({ IPAM: { Config: [{ Subnet: "fd00::/64" }] } });
  expect(unused.ipam).toMatchObject([{ subnet: "fd00::/64", gateway: "" }, { subnet: "172.18.0.0/24" }]);
  const options = { "com.docker.network.enable_ipv6": "1" };
  expect(plan({ Options: options })).toMatchObject({ ipv6: true, options });
  expect(plan({ EnableIPv6: true, Options: options })).toMatchObject({ ipv6: true, options: {} });
  const zeros = { Subnet: "fd00:0a::/64", IPRange: "FD00:000a::0f00/120" };
  expect(() => plan({ EnableIPv6: true, IPAM: { Config: [zeros] } })).not.toThrow();
});

test("an isolated network has no gateway", () => {
  const isolated = { "com.docker.network.bridge.gateway_mode_ipv4": "isolated" };
  expect(plan({ Internal: true, Options: isolated }).ipam[0]?.gateway).toBe("");
  const inhibited = { "com.docker.network.bridge.inhibit_ipv4": "true" };
  expect(plan({ Internal: true, Options: inhibited }).ipam[0]?.gateway).toBe("");
  expect(plan({ Options: inhibited }).ipam[0]?.gateway).not.toBe("");
});

test("configurations: kept as given, and what is made from them", () => {
  const pool = { Subnet: "10.1.0.0/24", Gateway: "10.1.0.9" };
  const source = plan({ Name: "conf", ConfigOnly: true, IPAM: { Config: [pool] }, Labels: { a: "b" } });
  expect(source).toMatchObject({ driver: "null", configOnly: true, ipam: [{ gateway: "10.1.0.9" }] });
  const from = { ConfigFrom: { Network: "conf" } };
  const made = plan(from, { existing: [source] });
  expect(made).toMatchObject({
    driver: "bridge",
    configFrom: "conf",
    labels: { a: "b" },
    ipam: [{ gateway: "10.1.0.9" }],
  });
  const refusals: [Partial<NetworkCreateRequest>, string][] = [
    [{ ConfigFrom: { Network: "n" } }, 'configuration network "n" does not exist'],
    [{ ...from, Labels: { c: "d" } }, "user specified configurations are not supported"],
    [{ ...from, Options: { c: "d" } }, "network driver options are not supported"],
    [{ ...from, ConfigOnly: true }, "cannot depend on another configuration network"],
    [{ ConfigOnly: true, Internal: true }, "configuration network can only contain network specific fields."],
  ];
  for (const [request, message] of refusals) {
    expect(() => plan({ Name: "m", ...request }, { existing: [source, made] })).toThrow(message);
  }
});

test("options that the daemon gives to networks of a driver", () => {
  const defaultOptions = { bridge: { x: "1", y: "2" }, macvlan: { z: "3" } };
  expect(plan({ Options: { y: "9" } }, { defaultOptions }).options).toEqual({ x: "1", y: "9" });
});
