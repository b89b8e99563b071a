import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync } from "node:fs";
import { Logger } from "../../base/log.ts";
import { Database } from "../../metadata/database.ts";
import { NetworkManager } from "./network-manager.ts";
import { ScratchHost } from "./scratch-host.ts";

// Each test runs a dozen short-lived processes, which a loaded machine makes slow.
setDefaultTimeout(30_000);

let host: ScratchHost;
const cleanups: (() => Promise<void>)[] = [];
beforeAll(() => {
  host = new ScratchHost();
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(() => host[Symbol.dispose]());

async function start(instance: string, database = new Database(":memory:")): Promise<NetworkManager> {
  const execRoot = `${host.directory}/${instance}`;
  const manager = new NetworkManager({
    ...{ database, execRoot, instance, config: {}, poolSize: 1 },
    logger: new Logger("error", () => undefined),
  });
  cleanups.push(async () => {
    await manager.close({ keep: false }).catch(() => undefined);
    rmSync(execRoot, { recursive: true, force: true });
  });
  await manager.reconcile(new Set());
  return manager;
}

const bridges = () => host.run("ip", "-o", "link", "show", "type", "bridge").match(/(?<=: )[\w-]+(?=:)/g) ?? [];
const tables = () =>
  host
    .run("nft", "list", "tables")
    .trim()
    .split("\n")
    .filter((line) => line.includes("gantry"));

/** Waits, as long as the test may take, until the probe says yes. */
async function until(probe: () => boolean): Promise<void> {
  while (!probe()) await Bun.sleep(50);
}

test("a network has a bridge and a table of its own, which its removal takes away", async () => {
  const manager = await start("own");
  const before = { bridges: bridges(), tables: tables() };
  const { Id } = await manager.catalog.create({ Name: "app", Options: { "com.docker.network.driver.mtu": "1400" } });
  const name = `br-${Id.slice(0, 12)}`;
  expect(bridges()).toContain(name);
  expect(tables().length).toBe(before.tables.length + 1);
  await manager.catalog.remove("app");
  expect({ bridges: bridges(), tables: tables() }).toEqual(before);
});

test("networks are there again after a crash, with the same subnets", async () => {
  const database = new Database(":memory:");
  const manager = await start("again", database);
  const { Id } = await manager.catalog.create({ Name: "app" });
  const name = `br-${Id.slice(0, 12)}`;
  const address = () => /inet (\S+)/.exec(host.run("ip", "-4", "address", "show", name))?.[1];
  const first = address();
  await manager.close({ keep: true });
  host.run("ip", "link", "delete", name);
  await start("again", database);
  expect(address()).toBe(first as string);
  expect(first).toBeDefined();
});

test("a bridge that cannot be made leaves no network", async () => {
  const manager = await start("taken");
  host.run("ip", "link", "add", "taken0", "type", "bridge");
  const options = { "com.docker.network.bridge.name": "taken0" };
  const failure = await manager.catalog.create({ Name: "app", Options: options }).then(
    () => "",
    (error: Error) => error.message,
  );
  expect(failure).toBe("bridge taken0 exists and is not this daemon's");
  expect(manager.catalog.lookUp("app")).toBeUndefined();
  expect(host.run("ip", "-o", "link", "show", "taken0")).toContain("taken0");
  host.run("ip", "link", "delete", "taken0");
});

test("a FORWARD policy that somebody sets is answered for every network, though nothing is started", async () => {
  const manager = await start("watch");
  await manager.catalog.create({ Name: "app" });
  host.run("iptables", "-P", "FORWARD", "DROP");
  // In and out of two bridges.
  await until(() => host.run("iptables", "-S", "FORWARD").match(/-j ACCEPT/g)?.length === 4);
  await manager.catalog.remove("app");
  expect(host.run("iptables", "-S", "FORWARD").match(/-j ACCEPT/g)?.length).toBe(2);
  host.run("iptables", "-P", "FORWARD", "ACCEPT");
});

test("a table that somebody removes is written again, though nothing is started", async () => {
  const manager = await start("lost");
  await manager.catalog.create({ Name: "app" });
  const before = tables();
  for (const table of before) host.run("nft", "delete", ...table.split(" "));
  await until(() => tables().length === before.length);
  expect(tables().toSorted()).toEqual(before.toSorted());
});
