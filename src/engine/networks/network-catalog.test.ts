import { beforeEach, expect, test } from "bun:test";
import { Database } from "../../metadata/database.ts";
import { localPools } from "./addresses/subnets.ts";
import { NetworkCatalog } from "./network-catalog.ts";
import { EndpointStore, NetworkStore } from "./network-store.ts";
import { resolveNetworkConfig } from "./settings/network-config.ts";
import { networkNames } from "./settings/network-names.ts";

let catalog: NetworkCatalog;
let database: Database;
const events: string[] = [];
const make = (config = {}) =>
  new NetworkCatalog({
    networks: new NetworkStore(database),
    endpoints: new EndpointStore(database),
    config: resolveNetworkConfig(config),
    names: networkNames("default"),
    localPools: localPools("test"),
    bridges: { openUser: async () => undefined, remove: async () => undefined },
    usedPrefixes: async () => [],
    publish: ({ action, attributes }) => events.push(`${action} ${attributes["name"] ?? ""}`),
  });
beforeEach(() => {
  database = new Database(":memory:");
  catalog = make();
  catalog.createPredefined();
});

const names = async (filters: Record<string, string[]>) => (await catalog.list(filters)).map(({ Name }) => Name);

test("the predefined networks keep their ids over a restart and take the options of the configuration", async () => {
  const before = await catalog.inspect("bridge", { verbose: false });
  expect(before).toMatchObject({
    Driver: "bridge",
    Scope: "local",
    EnableIPv4: true,
    EnableIPv6: false,
    Containers: {},
  });
  const restarted = make({ mtu: 1400, icc: false });
  restarted.createPredefined();
  const after = await restarted.inspect(before.Id.slice(0, 12), { verbose: false });
  expect(after.Id).toBe(before.Id);
  expect(after.Options).toMatchObject({
    "com.docker.network.driver.mtu": "1400",
    "com.docker.network.bridge.enable_icc": "false",
    "com.docker.network.bridge.name": "gantry0",
  });
});

test("filters", async () => {
  expect(await names({})).toEqual(["bridge", "host", "none"]);
  expect(await names({ driver: ["null", "host"] })).toEqual(["host", "none"]);
  expect(await names({ name: ["os"] })).toEqual(["host"]);
  expect(await names({ type: ["custom"] })).toEqual([]);
  expect(await names({ dangling: ["true"] })).toEqual([]);
  expect(await names({ scope: ["foo"] })).toEqual([]);
  expect(await names({ label: ["a"] })).toEqual([]);
});

test.each([
  [{ foo: ["bar"] }, "invalid filter 'foo'"],
  [{ type: ["foo"] }, "invalid filter: 'type'='foo'"],
  [{ dangling: ["true", "0"] }, 'got more than one value for filter key "dangling"'],
  [{ dangling: ["maybe"] }, `invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`],
])("filter %j is refused", async (filters: Record<string, string[]>, message) => {
  await expect(catalog.list(filters)).rejects.toThrow(message);
});

test("predefined networks stay; networks of a cluster are refused while there is none", async () => {
  await expect(catalog.remove("bridge")).rejects.toThrow("bridge is a pre-defined network and cannot be removed");
  await expect(catalog.remove("zz")).rejects.toThrow("network zz not found");
  await expect(catalog.create({ Name: "host" })).rejects.toThrow(
    "operation is not permitted on predefined host network",
  );
  await expect(catalog.create({ Name: "mine", Driver: "overlay" })).rejects.toMatchObject({ kind: "forbidden" });
  await expect(catalog.prune({})).resolves.toEqual({ NetworksDeleted: null });
});

test("without a default bridge there is none to see", async () => {
  catalog = make({ bridge: "none" });
  expect(await names({})).toEqual(["host", "none"]);
});

test("a user's network: created, found, in use, removed, with its events", async () => {
  events.length = 0;
  const { Id } = await catalog.create({ Name: "mine", Labels: { a: "b" }, Internal: true });
  expect(await catalog.inspect(Id.slice(0, 6), { verbose: false })).toMatchObject({
    Name: "mine",
    Driver: "bridge",
    Internal: true,
    Labels: { a: "b" },
    IPAM: { Driver: "default", Config: [{ Subnet: "172.18.0.0/24", Gateway: "172.18.0.1" }] },
  });
  await expect(catalog.create({ Name: "mine" })).rejects.toThrow("network with name mine already exists");
  database.run(
    "INSERT INTO endpoints VALUES (?, 'c', NULL, NULL, NULL, ?)",
    Id,
    JSON.stringify({ networkId: Id, containerName: "web", endpointId: "0123456789abcdef" }),
  );
  await expect(catalog.remove("mine")).rejects.toThrow(
    'error while removing network: network mine has active endpoints (name:"web" id:"0123456789ab")',
  );
  expect(await catalog.prune({})).toEqual({ NetworksDeleted: null });
  database.run("DELETE FROM endpoints");
  expect(await catalog.prune({ label: ["a=c"] })).toEqual({ NetworksDeleted: null });
  expect(await catalog.prune({ label: ["a"] })).toEqual({ NetworksDeleted: ["mine"] });
  expect(await names({})).toEqual(["bridge", "host", "none"]);
  expect(events).toEqual(["create mine", "prune ", "prune ", "destroy mine", "prune "]);
});
