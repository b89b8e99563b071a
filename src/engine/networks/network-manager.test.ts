import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { Logger } from "../../base/log.ts";
import { Database } from "../../metadata/database.ts";
import { NetworkManager, type Sandbox } from "./network-manager.ts";
import { useScratchManagers } from "./scratch-managers.ts";
import type { NetworkConfig } from "./settings/network-config.ts";
import type { SandboxRequest } from "./settings/network-mode.ts";

const scratch = useScratchManagers();

interface Started {
  manager: NetworkManager;
  database: Database;
  lines: string[];
}

async function start(
  instance: string,
  config: NetworkConfig = {},
  options: { keepDatabase?: Database } = {},
): Promise<Started> {
  const lines: string[] = [];
  const database = options.keepDatabase ?? new Database(":memory:");
  const logger = new Logger("info", (line) => lines.push(line));
  const manager = await scratch.start(instance, { database, config, poolSize: 2, logger });
  return { manager, database, lines };
}

/** A container that publishes `8080:80/tcp`, `127.0.0.1:8080:80/tcp`, … */
function request(id: string, ports: string[] = [], more: Partial<SandboxRequest["hostConfig"]> = {}): SandboxRequest {
  const parts = ports.map((port) => /^(?:([\d.]+):)?([\d-]*):(.+)$/.exec(port) ?? []);
  return {
    containerId: id,
    name: `name-${id}`,
    config: { ExposedPorts: Object.fromEntries(parts.map(([, , , port]) => [port, {}])) },
    hostConfig: {
      PortBindings: Object.fromEntries(
        parts.map(([, ip = "", from, port]) => [port, [{ HostIp: ip, HostPort: from ?? "" }]]),
      ),
      ...more,
    },
    networking: undefined,
  };
}

/** The message of the error that a start fails with. (`expect().rejects` would not let the workers' messages in.) */
async function failureOf(starting: Promise<Sandbox>): Promise<string> {
  return starting.then(
    () => "",
    (error: Error) => error.message,
  );
}

const ipOf = ({ settings }: Sandbox) => settings.IPAddress;

test("a published port answers the host, its loopback, neighbours, other containers and the container itself", async () => {
  const { manager } = await start("publish");
  const server = await manager.connect(request("a", ["8080:80/tcp"]));
  const other = await manager.connect(request("b"));
  const netns = server.netns ?? "";
  await scratch.host.serve(netns, 80, "hello");
  expect({
    loopback: scratch.host.ask(undefined, "127.0.0.1", 8080),
    host: scratch.host.ask(undefined, scratch.host.address, 8080),
    neighbour: scratch.host.ask(scratch.host.neighbour, scratch.host.address, 8080),
    container: scratch.host.ask(other.netns, scratch.host.address, 8080),
    gateway: scratch.host.ask(other.netns, server.settings.Gateway, 8080),
    direct: scratch.host.ask(other.netns, ipOf(server), 80),
    itself: scratch.host.ask(netns, scratch.host.address, 8080),
  }).toEqual({
    loopback: "hello",
    host: "hello",
    neighbour: "hello",
    container: "hello",
    gateway: "hello",
    direct: "hello",
    itself: "hello",
  });
  // What is not published is not reached by routing through this host.
  expect(scratch.host.isSilent(scratch.host.neighbour, ipOf(server), 80)).toBe(true);
  await manager.release("a");
  expect(scratch.host.isSilent(undefined, "127.0.0.1", 8080)).toBe(true);
});

test("containers reach the outside by the host's address", async () => {
  const { manager } = await start("outside");
  const container = await manager.connect(request("a"));
  await scratch.host.serve(scratch.host.neighbour, 91, "outside");
  expect(scratch.host.ask(container.netns, "10.99.0.2", 91)).toBe("outside");
});

/** A machine that takes 127.0.0.1 for an address beyond its eth0, and has `own` on loopback. */
function seekLoopbackAt(netns: string, gateway: string, own: string): void {
  const script = `echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet
    ip addr del 127.0.0.1/8 dev lo && ip addr add ${own}/32 dev lo && ip route add 127.0.0.1/32 via ${gateway} dev eth0`;
  scratch.host.run("nsenter", `--net=${netns}`, "sh", "-ec", script);
}

test("a port published on loopback is not reached from the LAN, even by a forged address", async () => {
  const { manager } = await start("loopback");
  const server = await manager.connect(request("a", ["127.0.0.1:8081:80/tcp"]));
  await scratch.host.serve(server.netns ?? "", 80, "private");
  expect(scratch.host.ask(undefined, "127.0.0.1", 8081)).toBe("private");
  expect(scratch.host.isSilent(scratch.host.neighbour, scratch.host.address, 8081)).toBe(true);
  seekLoopbackAt(scratch.host.neighbour, scratch.host.address, "127.0.0.3");
  expect(scratch.host.isSilent(scratch.host.neighbour, "127.0.0.1", 8081)).toBe(true);
});

test("a container does not reach what the host has on loopback, nor speaks as an address of loopback", async () => {
  const { manager } = await start("route-localnet");
  const { netns = "", settings } = await manager.connect(request("a"));
  const own = "/proc/thread-self/ns/net";
  await scratch.host.serve(own, 9000, "private");
  seekLoopbackAt(netns, settings.Gateway, "127.0.0.2");
  seekLoopbackAt(scratch.host.neighbour, scratch.host.address, "127.0.0.3");
  expect(scratch.host.ask(netns, settings.Gateway, 9000)).toBe("private");
  expect(scratch.host.isSilent(netns, "127.0.0.1", 9000)).toBe(true);
  for (const [address, port, namespace] of [
    [settings.Gateway, 9001, own],
    [scratch.host.address, 9002, own],
    ["10.99.0.2", 9001, scratch.host.neighbour],
  ] as const) {
    const { received } = await scratch.host.openUdp(namespace, port);
    for (const from of [settings.IPAddress, "127.0.0.2", settings.IPAddress]) {
      const { send } = await scratch.host.openUdp(netns, 0, from);
      send(from, address, port);
      await Bun.sleep(50);
    }
    expect([address, ...received]).toEqual([address, settings.IPAddress, settings.IPAddress]);
  }
});

test("neighbours that know an address of somebody else learn at once whose it is now", async () => {
  const { manager } = await start("announced");
  const { settings: first } = await manager.connect(request("a"));
  const [prefix = "", last = ""] = first.IPAddress.split(/\.(?=\d+$)/);
  const next = `${prefix}.${Number(last) + 1}`;
  const [bridge = ""] = /^\S+/.exec(scratch.host.run("sh", "-c", `ip -br addr | grep '${first.Gateway}/'`)) ?? [];
  scratch.host.run("ip", "neigh", "replace", next, "lladdr", "02:00:00:00:00:99", "dev", bridge, "nud", "stale");
  const { settings } = await manager.connect(request("b"));
  expect(settings.IPAddress).toBe(next);
  const known = () => scratch.host.run("ip", "neigh", "show", next, "dev", bridge);
  for (let tries = 0; tries < 50 && known().includes("02:00:00:00:00:99"); tries++) await Bun.sleep(10);
  expect(known()).toContain(settings.MacAddress);
});

test("a FORWARD policy of DROP is answered by marked rules in DOCKER-USER, which go at the end", async () => {
  for (const rule of ["-P FORWARD DROP", "-N DOCKER-USER", "-I FORWARD -j DOCKER-USER"]) {
    scratch.host.run("iptables", ...rule.split(" "));
  }
  try {
    const { manager } = await start("forward");
    const server = await manager.connect(request("a", ["8082:80/tcp"]));
    await scratch.host.serve(server.netns ?? "", 80, "forwarded");
    expect(scratch.host.ask(scratch.host.neighbour, scratch.host.address, 8082)).toBe("forwarded");
    expect(scratch.host.run("iptables", "-S", "DOCKER-USER").match(/--comment gantry-forward -j ACCEPT/g)).toHaveLength(
      2,
    );
    expect(scratch.host.run("iptables", "-S", "FORWARD")).toBe("-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n");
    await manager.close({ keep: false });
    expect(scratch.host.run("iptables", "-S", "DOCKER-USER")).toBe("-N DOCKER-USER\n");
  } finally {
    scratch.host.run("nft", "delete", "table", "ip", "filter");
  }
});

test("a policy set later, and a table lost, are noticed at the next start", async () => {
  const { manager, lines } = await start("later");
  await Bun.sleep(1000);
  scratch.host.run("nft", "flush", "ruleset");
  scratch.host.run("iptables", "-P", "FORWARD", "DROP");
  try {
    await manager.connect(request("a", ["8092:80/tcp"]));
    expect(scratch.host.run("nft", "list", "map", "inet", "gantry-later", "published")).toContain("tcp . 8092 :");
    for (let tries = 0; tries < 100 && !lines.some((line) => line.includes("lets the containers")); tries++)
      await Bun.sleep(20);
    expect(scratch.host.run("iptables", "-S", "FORWARD")).toContain("--comment gantry-later -j ACCEPT");
    expect(scratch.host.run("nft", "list", "tables")).toContain("table inet gantry-later");
  } finally {
    scratch.host.run("nft", "delete", "table", "ip", "filter");
  }
});

test("addresses are given from the lowest on, and again only when their last user's interface is gone", async () => {
  const { manager } = await start("addresses", { bip: "10.77.0.1/24" });
  expect(ipOf(await manager.connect(request("a")))).toBe("10.77.0.2");
  const second = await manager.connect(request("b"));
  expect(ipOf(second)).toBe("10.77.0.3");
  expect(second.settings.MacAddress).toBe("02:42:0a:4d:00:03");
  await manager.release("a");
  expect(ipOf(await manager.connect(request("c")))).toBe("10.77.0.4");
  for (let tries = 0; tries < 50 && scratch.host.run("ip", "-br", "link").match(/veth/g)?.length !== 4; tries++)
    await Bun.sleep(20);
  await Bun.sleep(20);
  expect(ipOf(await manager.connect(request("d")))).toBe("10.77.0.2");
});

test("a port in use is refused in dockerd's words and nothing is kept", async () => {
  const { manager, database } = await start("conflict");
  using _taken = Bun.listen({ hostname: "127.0.0.1", port: 8083, socket: { data() {} } });
  expect(await failureOf(manager.connect(request("a", ["8083:80/tcp"])))).toMatch(
    /^failed to set up container networking: driver failed programming external connectivity on endpoint name-a \([\da-f]{64}\): failed to bind host port for 0\.0\.0\.0:8083:172\.\d+\.0\.2:80\/tcp: address already in use$/,
  );
  await manager.connect(request("b", ["8084:80/tcp"]));
  expect(await failureOf(manager.connect(request("c", ["127.0.0.1:8084:80/tcp"])))).toMatch(
    /\): Bind for 0\.0\.0\.0:8084 failed: port is already allocated$/,
  );
  expect(database.all("SELECT container FROM endpoints UNION ALL SELECT container FROM ports")).toEqual([
    { container: "b" },
    { container: "b" },
  ]);
  // A range takes the next free port; any port is one of the ephemeral range.
  const ranged = await manager.connect(request("d", ["8083-8085:80/tcp", ":81/udp"]));
  expect(ranged.settings.Ports["80/tcp"]).toEqual([{ HostIp: "0.0.0.0", HostPort: "8085" }]);
  expect(Number(ranged.settings.Ports["81/udp"]?.[0]?.HostPort)).toBeGreaterThanOrEqual(32768);
  expect(() => Bun.listen({ hostname: "0.0.0.0", port: 8085, socket: { data() {} } })).toThrow();
});

test("a UDP client that sent to a port before it was published is heard", async () => {
  const { manager } = await start("udp");
  const client = await scratch.host.openUdp(scratch.host.neighbour, 4000);
  client.send("too early", scratch.host.address, 8091);
  const server = await manager.connect(request("a", ["8091:80/udp"]));
  const { received } = await scratch.host.openUdp(server.netns ?? "", 80);
  client.send("in time", scratch.host.address, 8091);
  for (let tries = 0; tries < 50 && received.length === 0; tries++) await Bun.sleep(10);
  expect(received).toEqual(["in time"]);
});

test("after a crash live containers keep their ports and everything else goes", async () => {
  const first = await start("crash");
  const server = await first.manager.connect(request("live", ["8086:80/tcp"]));
  await first.manager.connect(request("dead", ["8087:80/tcp"]));
  await scratch.host.serve(server.netns ?? "", 80, "alive");
  // What kill -9 does: sockets and threads end, kernel and database stay.
  const crashed = first.manager as unknown as Record<"ports" | "thread" | "reaper", { close(): void } & Disposable>;
  crashed.ports[Symbol.dispose]();
  crashed.thread.close();
  crashed.reaper.close();
  scratch.host.run("nft", "delete", "table", "inet", "gantry-crash");
  expect(readdirSync(`${scratch.host.directory}/crash/netns`).length).toBeGreaterThan(2);

  const second = new NetworkManager({
    database: first.database,
    execRoot: `${scratch.host.directory}/crash`,
    instance: "crash",
    engineId: "crash",
    config: {},
    poolSize: 1,
    logger: new Logger("error"),
  });
  scratch.defer(() => second.close({ keep: false }).catch(() => undefined));
  await second.reconcile(new Set(["live"]));
  expect(scratch.host.ask(scratch.host.neighbour, scratch.host.address, 8086)).toBe("alive");
  expect(second.currentSettings("live")?.IPAddress).toBe(ipOf(server));
  expect(second.currentSettings("dead")).toBeUndefined();
  expect(() => Bun.listen({ hostname: "0.0.0.0", port: 8086, socket: { data() {} } })).toThrow();
  await second.close({ keep: true });
  expect(readdirSync(`${scratch.host.directory}/crash/netns`)).toEqual([server.settings.SandboxID.slice(0, 12)]);
  expect(scratch.host.ask(scratch.host.neighbour, scratch.host.address, 8086)).toBe("alive");

  const third = await start("crash", {}, { keepDatabase: first.database });
  await third.manager.close({ keep: false });
  expect(scratch.host.run("ip", "-br", "link")).not.toMatch(/gantry-|veth/);
  expect(scratch.host.run("nft", "list", "tables")).not.toContain("gantry-crash");
});

test("two daemons take different ranges and bridges, and one that ends leaves the other alone", async () => {
  const [one, two] = await Promise.all([start("one"), start("two")]);
  const [a, b] = await Promise.all([
    one.manager.connect(request("a", ["8088:80/tcp"])),
    two.manager.connect(request("b", ["8089:80/tcp"])),
  ]);
  expect(ipOf(a).split(".")[1]).not.toBe(ipOf(b).split(".")[1] as string);
  await scratch.host.serve(b.netns ?? "", 80, "two");
  expect(scratch.host.ask(a.netns, scratch.host.address, 8089)).toBe("two");
  expect(scratch.host.isSilent(a.netns, ipOf(b), 80)).toBe(true);
  await one.manager.close({ keep: false });
  expect(scratch.host.ask(scratch.host.neighbour, scratch.host.address, 8089)).toBe("two");
});

test("without inter-container communication containers reach only published ports", async () => {
  const { manager } = await start("icc", { icc: false });
  const server = await manager.connect(request("a", ["8090:80/tcp"]));
  const other = await manager.connect(request("b"));
  await scratch.host.serve(server.netns ?? "", 80, "hello");
  expect(scratch.host.isSilent(other.netns, ipOf(server), 80)).toBe(true);
  expect(scratch.host.ask(other.netns, scratch.host.address, 8090)).toBe("hello");
});

test("host and none have no namespace of ours, container mode no endpoint, unknown networks are not found", async () => {
  const { manager } = await start("modes");
  const asHost = await manager.connect(request("h", [], { NetworkMode: "host" }));
  expect([asHost.netns, Object.keys(asHost.settings.Networks)]).toEqual([undefined, ["host"]]);
  const asNone = await manager.connect(request("n", [], { NetworkMode: "none" }));
  expect([asNone.netns, Object.keys(asNone.settings.Networks)]).toEqual([undefined, ["none"]]);
  expect((await manager.catalog.inspect("none", { verbose: false })).Containers["n"]?.Name).toBe("name-n");
  const joined = await manager.connect(request("j", [], { NetworkMode: "container:h" }));
  expect(joined.settings.Networks).toEqual({});
  expect(await failureOf(manager.connect(request("x", [], { NetworkMode: "foo" })))).toBe(
    "failed to set up container networking: network foo not found",
  );
});

test("an administrator's bridge is used with its own address, and left at the end", async () => {
  scratch.host.run("ip", "link", "add", "br-admin", "type", "bridge");
  scratch.host.run("ip", "addr", "add", "10.66.0.1/24", "dev", "br-admin");
  const { manager } = await start("adopted", { bridge: "br-admin" });
  const container = await manager.connect(request("a"));
  expect([ipOf(container), container.settings.Gateway]).toEqual(["10.66.0.2", "10.66.0.1"]);
  await manager.close({ keep: false });
  expect(scratch.host.run("ip", "-br", "addr", "show", "br-admin")).toContain("10.66.0.1/24");
  scratch.host.run("ip", "link", "del", "br-admin");
});

test("an administrator's bridge that is not there is not made", async () => {
  const message = await start("absent", { bridge: "br-absent" }).then(
    () => "",
    (error: Error) => error.message,
  );
  expect(message).toBe(
    'error creating default "bridge" network: bridge device with non default name br-absent must be created manually',
  );
  expect(scratch.host.run("ip", "link")).not.toContain("br-absent");
});

test("a default gateway of the administrator's is the containers' way out, and no container's address", async () => {
  const { manager } = await start("gateway", { bip: "10.67.0.1/24", defaultGateway: "10.67.0.2" });
  const { netns, settings } = await manager.connect(request("a"));
  expect([settings.IPAddress, settings.Gateway]).toEqual(["10.67.0.3", "10.67.0.2"]);
  expect(scratch.host.run("nsenter", `--net=${netns}`, "ip", "route")).toContain("default via 10.67.0.2 dev eth0");
  const { IPAM } = await manager.catalog.inspect("bridge", { verbose: false });
  expect(IPAM.Config).toEqual([
    { Subnet: "10.67.0.0/24", Gateway: "10.67.0.1", AuxiliaryAddresses: { DefaultGatewayIPv4: "10.67.0.2" } },
  ]);
});

test("with direct routing, neighbours reach published ports by the container's address, while one publishes them", async () => {
  const { manager } = await start("direct", { allowDirectRouting: true, bip: "10.68.0.1/24" });
  const bindings = [
    { HostIp: "", HostPort: "8094" },
    { HostIp: "127.0.0.1", HostPort: "8095" },
  ];
  const sandbox = await manager.connect(request("a", [":80/tcp"], { PortBindings: { "80/tcp": bindings } }));
  const { neighbour } = scratch.host;
  for (const port of [80, 81]) await scratch.host.serve(sandbox.netns ?? "", port, `port ${port}`);
  const direct = (port: number) => scratch.host.ask(neighbour, ipOf(sandbox), port, 0.5);
  expect([direct(80), direct(81)]).toEqual(["port 80", ""]);
  expect(scratch.host.ask(neighbour, scratch.host.address, 8094)).toBe("port 80");
  await manager.republish(request("a", ["8094:80/tcp"]));
  expect(direct(80)).toBe("port 80");
  await manager.republish(request("a", []));
  expect(direct(80)).toBe("");
});

test("without packet filter no table is made and publishing is refused; without default bridge the mode is none", async () => {
  const { manager } = await start("plain", { iptables: false });
  expect(scratch.host.run("nft", "list", "tables")).not.toContain("gantry-plain");
  expect(await failureOf(manager.connect(request("a", ["8093:80/tcp"])))).toContain(
    "published ports need the packet filter",
  );
  expect(ipOf(await manager.connect(request("b")))).not.toBe("");
  const none = await start("nobridge", { bridge: "none" });
  const container = await none.manager.connect(request("c"));
  expect([container.netns, Object.keys(container.settings.Networks)]).toEqual([undefined, ["none"]]);
});

test("random host ports go upwards, and a restarted container gets another", async () => {
  const { manager } = await start("random");
  const port = async () =>
    Number((await manager.connect(request("a", [":80/tcp"]))).settings.Ports["80/tcp"]?.[0]?.HostPort);
  const first = await port();
  expect(await port()).toBe(first + 1);
});

test("an MTU too small for IPv6 is no hindrance", async () => {
  const { manager } = await start("small", { mtu: 1234 });
  const { netns } = await manager.connect(request("a"));
  expect(scratch.host.run("nsenter", `--net=${netns}`, "ip", "link", "show", "eth0")).toContain("mtu 1234");
});

test("inside: own MAC, MTU, default route, loopback up, no IPv6 on eth0", async () => {
  const { manager } = await start("inside", { mtu: 1400 });
  const { netns, settings } = await manager.connect(request("a"));
  const show = (...argv: string[]) => scratch.host.run("nsenter", `--net=${netns}`, ...argv);
  expect(show("ip", "-br", "addr", "show", "eth0")).toMatch(new RegExp(`UP +${settings.IPAddress}/16 *\n`));
  expect(show("ip", "link", "show", "eth0")).toMatch(new RegExp(`mtu 1400 [^]*ether ${settings.MacAddress}`));
  expect(show("ip", "route")).toContain(`default via ${settings.Gateway} dev eth0`);
  expect(show("ip", "-br", "addr", "show", "lo")).toContain("127.0.0.1/8 ::1/128");
});

test("the MAC address that was asked for is shown until the first start; the host's network takes nobody in beside another", async () => {
  const { manager } = await start("asked");
  const MacAddress = "02:42:ac:11:00:0a";
  const asking = { ...request("a"), networking: { EndpointsConfig: { default: { MacAddress } } } };
  expect(manager.createdSettings(asking)).toMatchObject({ MacAddress, Networks: { bridge: { MacAddress } } });
  expect(manager.createdSettings(asking, true)).toMatchObject({
    MacAddress: "",
    Networks: { bridge: { MacAddress: "" } },
  });
  const both = { ...request("b"), networking: { EndpointsConfig: { bridge: {}, host: {} } } };
  expect(await failureOf(manager.connect(both))).toBe(
    "failed to set up container networking: cannot connect container to host network - container must be created in host network mode",
  );
});

test("a network that is kept outlives its container, is there for others, and is gone after the daemon", async () => {
  const { manager, database } = await start("keep");
  const first = await manager.connect(request("a"));
  const kept = manager.keep("a");
  await manager.release("a");
  expect(await manager.connect(request("a"))).toEqual(first);
  await kept[Symbol.asyncDispose]();
  expect(manager.currentSettings("a")).toBeUndefined();
  // A daemon that is killed meanwhile has nobody who would give it back.
  await manager.connect(request("b"));
  manager.keep("b");
  await manager.release("b");
  await manager.close({ keep: true });
  const { manager: next } = await start("keep", {}, { keepDatabase: database });
  expect(next.currentSettings("b")).toBeUndefined();
});
