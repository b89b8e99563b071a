import { expect, test } from "bun:test";
import { Database } from "../../../metadata/database.ts";
import { useScratchManagers } from "../scratch-managers.ts";

const scratch = useScratchManagers();

const start = (instance: string, database = new Database(":memory:")) => scratch.start(instance, { database });

const bridges = () => scratch.host.run("ip", "-o", "link", "show", "type", "bridge").match(/(?<=: )[\w-]+(?=:)/g) ?? [];
const tables = () =>
  scratch.host
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
  const address = () => /inet (\S+)/.exec(scratch.host.run("ip", "-4", "address", "show", name))?.[1];
  const first = address();
  await manager.close({ keep: true });
  scratch.host.run("ip", "link", "delete", name);
  await start("again", database);
  expect(address()).toBe(first as string);
  expect(first).toBeDefined();
});

test("a bridge that cannot be made leaves no network", async () => {
  const manager = await start("taken");
  scratch.host.run("ip", "link", "add", "taken0", "type", "bridge");
  const options = { "com.docker.network.bridge.name": "taken0" };
  const failure = await manager.catalog.create({ Name: "app", Options: options }).then(
    () => "",
    (error: Error) => error.message,
  );
  expect(failure).toBe("bridge taken0 exists and is not this daemon's");
  expect(manager.catalog.lookUp("app")).toBeUndefined();
  expect(scratch.host.run("ip", "-o", "link", "show", "taken0")).toContain("taken0");
  scratch.host.run("ip", "link", "delete", "taken0");
});

test("a FORWARD policy that somebody sets is answered for every network, though nothing is started", async () => {
  const manager = await start("watch");
  await manager.catalog.create({ Name: "app" });
  scratch.host.run("iptables", "-P", "FORWARD", "DROP");
  // In and out of two bridges.
  await until(() => scratch.host.run("iptables", "-S", "FORWARD").match(/-j ACCEPT/g)?.length === 4);
  await manager.catalog.remove("app");
  expect(scratch.host.run("iptables", "-S", "FORWARD").match(/-j ACCEPT/g)?.length).toBe(2);
  scratch.host.run("iptables", "-P", "FORWARD", "ACCEPT");
});

test("a table that somebody removes is written again, though nothing is started", async () => {
  const manager = await start("lost");
  await manager.catalog.create({ Name: "app" });
  const before = tables();
  for (const table of before) scratch.host.run("nft", "delete", ...table.split(" "));
  await until(() => tables().length === before.length);
  expect(tables().toSorted()).toEqual(before.toSorted());
});
