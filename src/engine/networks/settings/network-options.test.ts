import { expect, test } from "bun:test";
import type { NetworkRecord } from "../network-store.ts";
import { bridgeHasAddress, bridgeNameOf, bridgeSettings } from "./network-options.ts";

const record = (options: Record<string, string> = {}, more: Partial<NetworkRecord> = {}): NetworkRecord => ({
  ...{ id: "ab".repeat(32), name: "n", driver: "bridge", created: "", ipam: [], labels: {} },
  ...more,
  options: Object.fromEntries(Object.entries(options).map(([key, value]) => [`com.docker.network.${key}`, value])),
});
const defaults = { mtu: 1450, defaultBindAddress: "0.0.0.0" };
const settings = (...parameters: Parameters<typeof record>) => bridgeSettings(record(...parameters), defaults);

test("a network that says nothing has the daemon's settings", () => {
  expect(settings()).toEqual({
    name: "br-abababababab",
    icc: true,
    masquerade: true,
    mtu: 1450,
    bindAddress: "0.0.0.0",
    modes: { 4: "nat", 6: "nat" },
    inhibitIpv4: false,
    trusted: [],
    interfacePrefix: "eth",
    sources: {},
  });
});

test("options shape the bridge", () => {
  expect(
    settings({
      "bridge.name": "mine0",
      "bridge.enable_icc": "false",
      "bridge.host_binding_ipv4": "127.0.0.1",
      "bridge.gateway_mode_ipv6": "routed",
      "bridge.trusted_host_interfaces": "eth0:eth1",
      "driver.mtu": "1400",
      container_iface_prefix: "lan",
      host_ipv4: "192.0.2.1",
    }),
  ).toMatchObject({
    ...{ name: "mine0", icc: false, mtu: 1400, bindAddress: "127.0.0.1", interfacePrefix: "lan" },
    ...{ modes: { 4: "nat", 6: "routed" }, trusted: ["eth0", "eth1"], sources: { 4: "192.0.2.1" } },
  });
  expect(settings({}, { internal: true }).masquerade).toBe(false);
});

test("names that no bridge can have", () => {
  for (const name of ["a b", "a/b", 'x"; drop', "sixteen-letters-", ".", "..", "a:b", "a\\b"]) {
    expect(() => bridgeNameOf(record({ "bridge.name": name }))).toThrow("invalid bridge name");
  }
  expect(bridgeNameOf(record({ "bridge.name": "" }))).toBe("br-abababababab");
});

test("whether the bridge has an address itself", () => {
  const has = (family: 4 | 6, ...parameters: Parameters<typeof record>) =>
    bridgeHasAddress(record(...parameters), settings(...parameters), family);
  const isolated = { "bridge.gateway_mode_ipv4": "isolated" };
  expect([has(4), has(6), has(6, {}, { ipv6: true }), has(4, {}, { ipv4: false })]).toEqual([true, false, true, false]);
  expect([has(4, isolated, { internal: true }), has(4, { "bridge.inhibit_ipv4": "true" })]).toEqual([false, false]);
});
