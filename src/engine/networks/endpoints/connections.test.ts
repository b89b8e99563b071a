import { expect, test } from "bun:test";
import type { EndpointSettings } from "../../../api/networks.ts";
import { Database } from "../../../metadata/database.ts";
import type { NetworkManager, Sandbox } from "../network-manager.ts";
import { useScratchManagers } from "../scratch-managers.ts";
import type { SandboxRequest } from "../settings/network-mode.ts";

const scratch = useScratchManagers();

/** A manager with the networks back (10.2.0.0/24), front (10.3.0.0/24) and inside (10.4.0.0/24, internal). */
async function start(instance: string): Promise<{ manager: NetworkManager; events: string[] }> {
  const events: string[] = [];
  const manager = await scratch.start(instance, {
    events: {
      publish: ({ action, attributes }) => events.push(`${action} ${attributes["name"]} ${attributes["type"]}`),
    },
  });
  for (const [Name, Subnet] of Object.entries({ back: "10.2.0.0/24", front: "10.3.0.0/24", inside: "10.4.0.0/24" })) {
    await manager.catalog.create({ Name, IPAM: { Config: [{ Subnet }] }, Internal: Name === "inside" });
  }
  return { manager, events };
}

function request(id: string, networks: Record<string, EndpointSettings>, port?: string): SandboxRequest {
  return {
    containerId: id,
    name: `name-${id}`,
    config: port ? { ExposedPorts: { "80/tcp": {} } } : {},
    hostConfig: {
      NetworkMode: Object.keys(networks)[0] ?? "",
      ...(port ? { PortBindings: { "80/tcp": [{ HostIp: "", HostPort: port }] } } : {}),
    },
    networking: { EndpointsConfig: networks },
  };
}

const fixed = (IPv4Address: string): EndpointSettings => ({ IPAMConfig: { IPv4Address } });
const inside = ({ netns }: Sandbox, ...argv: string[]) => scratch.host.run("nsenter", `--net=${netns}`, ...argv).trim();
const addresses = (sandbox: Sandbox) =>
  inside(sandbox, "ip", "-o", "-4", "address", "show", "scope", "global").match(/\d+\.\d+\.\d+\.\d+(?=\/)/g);
const route = (sandbox: Sandbox) => /via (\S+)/.exec(inside(sandbox, "ip", "route", "show", "default"))?.[1];
const veths = () =>
  scratch.host
    .run("ip", "-o", "link", "show", "type", "veth")
    .match(/veth\w+/g)
    ?.toSorted() ?? [];

test("several networks at a start: the default route is the first network's that is not internal", async () => {
  const { manager, events } = await start("several");
  const sandbox = await manager.connect(request("a", { inside: {}, front: {}, back: {} }));
  expect(addresses(sandbox)?.toSorted()).toEqual(["10.2.0.2", "10.3.0.2", "10.4.0.2"]);
  expect(route(sandbox)).toBe("10.2.0.1");
  await manager.release("a");
  expect(events.filter((event) => !event.startsWith("create")).toSorted()).toEqual(
    ["connect", "disconnect"].flatMap((action) =>
      ["back", "front", "inside"].map((name) => `${action} ${name} bridge`),
    ),
  );
});

test("a running container joins and leaves; route and published ports follow", async () => {
  const { manager } = await start("live");
  const first = request("a", { front: {} }, "8080");
  const sandbox = await manager.connect(first);
  await scratch.host.serve(sandbox.netns ?? "", 80, "hello");
  expect(scratch.host.ask(undefined, scratch.host.address, 8080)).toBe("hello");

  const both = request("a", { front: {}, back: fixed("10.2.0.77") }, "8080");
  await manager.connectLive(both, "back", fixed("10.2.0.77"), process.pid);
  expect(addresses(sandbox)?.toSorted()).toEqual(["10.2.0.77", "10.3.0.2"]);
  expect(route(sandbox)).toBe("10.2.0.1");
  expect(scratch.host.ask(undefined, scratch.host.address, 8080)).toBe("hello");

  await manager.disconnectLive(both, "back");
  expect(addresses(sandbox)).toEqual(["10.3.0.2"]);
  expect(route(sandbox)).toBe("10.3.0.1");
  expect(scratch.host.ask(undefined, scratch.host.address, 8080)).toBe("hello");

  await manager.disconnectLive(first, "front");
  expect(addresses(sandbox)).toBeNull();
  expect(scratch.host.isSilent(undefined, scratch.host.address, 8080)).toBe(true);
  await manager.connectLive(first, "front", {}, process.pid);
  expect(scratch.host.ask(undefined, scratch.host.address, 8080)).toBe("hello");
});

test("a restart gets the address that it asks for, although its former interface is just going", async () => {
  const { manager } = await start("restart");
  for (let round = 0; round < 3; round++) {
    const sandbox = await manager.connect(request("a", { back: fixed("10.2.0.9") }));
    expect(addresses(sandbox)).toEqual(["10.2.0.9"]);
  }
});

test("the last address of a small network goes to the next container", async () => {
  const { manager } = await start("small");
  await manager.catalog.create({ Name: "tiny", IPAM: { Config: [{ Subnet: "10.9.0.0/30" }] } });
  for (const id of ["a", "b", "c"]) {
    expect(addresses(await manager.connect(request(id, { tiny: {} })))).toEqual(["10.9.0.2"]);
    await manager.release(id);
  }
});

const messageOf = (starting: Promise<unknown>) =>
  starting.then(
    () => "",
    (error: Error) => error.message,
  );

test("what fails leaves nothing", async () => {
  const { manager } = await start("fails");
  const before = veths();
  await manager.connect(request("a", { back: fixed("10.2.0.9") }));
  const mine = veths();
  expect(await messageOf(manager.connect(request("b", { front: {}, back: fixed("10.2.0.9") })))).toBe(
    "failed to set up container networking: Address already in use",
  );
  const running = request("a", { back: {}, front: {} });
  expect(await messageOf(manager.connectLive(running, "front", fixed("10.3.0.1"), process.pid))).toBe(
    "Address already in use",
  );
  expect(manager.currentSettings("b")).toBeUndefined();
  expect(Object.keys(manager.currentSettings("a")?.Networks ?? {})).toEqual(["back"]);
  await manager.release("a");
  await manager.close({ keep: false });
  expect(mine.length).toBeGreaterThan(0);
  expect(veths().filter((name) => !before.includes(name))).toEqual([]);
});

test("killed while it connected or disconnected: what has no interface is no connection, and its ports are free", async () => {
  const database = new Database(":memory:");
  const manager = await scratch.start("halves", { database });
  await manager.catalog.create({ Name: "aa", IPAM: { Config: [{ Subnet: "10.2.0.0/24" }] } });
  await manager.catalog.create({ Name: "bb", IPAM: { Config: [{ Subnet: "10.3.0.0/24" }] } });
  const sandbox = await manager.connect(request("a", { aa: {}, bb: {} }, "8080"));
  await scratch.host.serve(sandbox.netns ?? "", 80, "hello");
  const [lost] = inside(sandbox, "ip", "-o", "-4", "address", "show", "to", "10.2.0.0/24").match(/eth\d/) ?? [];
  inside(sandbox, "ip", "link", "delete", lost ?? "");
  await manager.close({ keep: true });

  const next = await scratch.start("halves", { database }, new Set(["a"]));
  expect(next.connectedNetworks("a")).toEqual(["bb"]);
  expect(database.all("SELECT * FROM ports")).toEqual([]);
  // What the container's record asks for is published where it still can be.
  await next.republish(request("a", { bb: {} }, "8080"));
  expect(scratch.host.ask(undefined, scratch.host.address, 8080)).toBe("hello");
  expect(inside(sandbox, "ip", "route", "show", "default")).toContain("via 10.3.0.1");
});
