import { expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import type { NetworkManager, Sandbox } from "./network-manager.ts";
import { useScratchManagers } from "./scratch-managers.ts";
import type { NetworkConfig } from "./settings/network-config.ts";
import type { SandboxRequest } from "./settings/network-mode.ts";

const scratch = useScratchManagers();
const neighbour6 = "fd99::2";

function request(id: string, network: string, ports: string[] = []): SandboxRequest {
  const parts = ports.map((port) => /^(?:\[(.*)\]:)?(\d*):(.+)$/.exec(port) ?? []);
  return {
    containerId: id,
    name: `name-${id}`,
    config: { ExposedPorts: Object.fromEntries(parts.map(([, , , port]) => [port, {}])) },
    hostConfig: {
      NetworkMode: network,
      PortBindings: Object.fromEntries(
        parts.map(([, HostIp = "", HostPort = "", port]) => [port, [{ HostIp, HostPort }]]),
      ),
    },
    networking: undefined,
  };
}

/** A manager with the networks both (10.2.0.0/24, fd02::/64), six (fd03::/64) and inside (fd04::/64, internal). */
async function start(instance: string, config: NetworkConfig = {}): Promise<NetworkManager> {
  const manager = await scratch.start(instance, { config });
  const create = (Name: string, subnets: string[], more: object = {}) =>
    manager.catalog.create({
      Name,
      EnableIPv6: true,
      IPAM: { Config: subnets.map((Subnet) => ({ Subnet })) },
      ...more,
    });
  await create("both", ["10.2.0.0/24", "fd02::/64"]);
  await create("six", ["fd03::/64"], { EnableIPv4: false });
  await create("inside", ["fd04::/64"], { EnableIPv4: false, Internal: true });
  return manager;
}

const ip6Of = ({ settings }: Sandbox) => Object.values(settings.Networks)[0]?.GlobalIPv6Address ?? "";
const show = ({ netns }: Sandbox, ...argv: string[]) => scratch.host.run("nsenter", `--net=${netns}`, ...argv);

test("a published port answers the host, its loopback, neighbours, other containers and the container itself", async () => {
  const { host } = scratch;
  const manager = await start("six-publish");
  const server = await manager.connect(request("a", "six", ["8080:80/tcp"]));
  const other = await manager.connect(request("b", "six"));
  const elsewhere = await manager.connect(request("c", "both"));
  const netns = server.netns ?? "";
  await host.serve(netns, 80, "hello");
  expect({
    host: host.ask(undefined, host.address6, 8080),
    neighbour: host.ask(host.neighbour, host.address6, 8080),
    container: host.ask(other.netns, host.address6, 8080),
    elsewhere: host.ask(elsewhere.netns, host.address6, 8080),
    direct: host.ask(other.netns, ip6Of(server), 80),
    itself: host.ask(netns, host.address6, 8080),
  }).toEqual({
    host: "hello",
    neighbour: "hello",
    container: "hello",
    elsewhere: "hello",
    direct: "hello",
    itself: "hello",
  });
  // What is not published is not reached by routing through this host, nor is what has no address of version 4.
  expect(host.isSilent(host.neighbour, ip6Of(server), 80)).toBe(true);
  expect(host.isSilent(host.neighbour, host.address, 8080)).toBe(true);
  await manager.release("a");
  expect(host.isSilent(host.neighbour, host.address6, 8080)).toBe(true);
});

test("the host's loopback, where bridges leave the packet filter alone; else clients are refused at once", async () => {
  const { host } = scratch;
  const filter = "/proc/sys/net/bridge/bridge-nf-call-ip6tables";
  const manager = await start("six-loopback");
  for (const filtered of existsSync(filter) ? [true, false] : [false]) {
    if (existsSync(filter)) writeFileSync(filter, filtered ? "1" : "0");
    await manager.catalog.create({ Name: `n${filtered}`, EnableIPv4: false, EnableIPv6: true });
    const server = await manager.connect(request(`c${filtered}`, `n${filtered}`, ["8080:80/tcp"]));
    await host.serve(server.netns ?? "", 80, "hello");
    const before = Date.now();
    expect(host.ask(undefined, "::1", 8080, 20)).toBe(filtered ? "" : "hello");
    // Whoever is not refused waits for the whole time.
    expect(Date.now() - before).toBeLessThan(15_000);
    const only = manager.connect(request("only", `n${filtered}`, ["[::1]:8081:80/tcp"])).then(
      () => "published",
      ({ message }: Error) => message,
    );
    expect(await only).toContain(filtered ? "cannot publish on ::1: bridged frames pass" : "published");
    if (!filtered) {
      expect(host.isSilent(host.neighbour, host.address6, 8081)).toBe(true);
    }
    await manager.release(`c${filtered}`);
  }
});

test("ports on one address of the host only", async () => {
  const { host } = scratch;
  const manager = await start("six-at");
  const server = await manager.connect(
    request("a", "both", [`[${host.address6}]:8082:81/tcp`, "[10.99.0.1]:8083:82/tcp"]),
  );
  for (const port of [81, 82]) await host.serve(server.netns ?? "", port, `port ${port}`);
  expect(host.ask(host.neighbour, host.address6, 8082)).toBe("port 81");
  expect(host.isSilent(undefined, "::1", 8082)).toBe(true);
  expect(host.isSilent(host.neighbour, host.address6, 8083)).toBe(true);
  expect(host.ask(host.neighbour, host.address, 8083)).toBe("port 82");
});

test("containers reach the outside by the host's address, and an internal network's do not", async () => {
  const { host } = scratch;
  const manager = await start("six-out");
  const [open, closed] = [await manager.connect(request("a", "six")), await manager.connect(request("b", "inside"))];
  await host.serve(host.neighbour, 91, "outside");
  expect(host.ask(open.netns, neighbour6, 91)).toBe("outside");
  expect(host.isSilent(closed.netns, neighbour6, 91)).toBe(true);
  expect(show(closed, "ip", "-6", "route", "show", "default")).toBe("");
});

test("routers among the neighbours are not listened to, and interfaces of version 4 speak no other", async () => {
  const manager = await start("six-settings");
  const [six, four] = [await manager.connect(request("a", "six")), await manager.connect(request("b", "bridge"))];
  const setting = (sandbox: Sandbox, name: string) =>
    show(sandbox, "cat", `/proc/sys/net/ipv6/conf/eth0/${name}`).trim();
  expect([setting(six, "accept_ra"), setting(six, "disable_ipv6"), setting(four, "disable_ipv6")]).toEqual([
    "0",
    "0",
    "1",
  ]);
  expect(show(six, "ip", "-4", "-o", "address", "show", "eth0")).toBe("");
  // The link's own address derives from its MAC.
  const mac = Object.values(six.settings.Networks)[0]?.MacAddress ?? "";
  expect(show(six, "ip", "-6", "-o", "address", "show", "eth0", "scope", "link")).toContain(
    `fe80::42:${[mac.slice(6, 8), "ff:fe", mac.slice(9, 11)].join("").replace(/^0+/, "")}`.slice(0, 10),
  );
});

test("a network of both versions is its container's way out for both, whatever comes before", async () => {
  const manager = await start("six-gateway");
  const networking = { EndpointsConfig: { six: { GwPriority: 9 }, both: {} } };
  const sandbox = await manager.connect({ ...request("a", "six"), networking });
  expect(show(sandbox, "ip", "-6", "route", "show", "default")).toContain("via fd02::1");
  expect(show(sandbox, "ip", "route", "show", "default")).toContain("via 10.2.0.1");
  await manager.disconnectLive({ ...request("a", "six"), networking: { EndpointsConfig: { six: {} } } }, "both");
  expect(show(sandbox, "ip", "-6", "route", "show", "default")).toContain("via fd03::1");
  expect(show(sandbox, "ip", "route", "show", "default")).toBe("");
});

test("addresses are the same however they are written, and single ones are shown as they were", async () => {
  const manager = await scratch.start("v6-text");
  const pool = { Subnet: "fd05:0b62::/64", Gateway: "fd05:0b62:0::0001" };
  const auxiliary = { AuxiliaryAddresses: { kept: "fd05:0b62:0::02" } };
  const create = (Name: string, more: object) =>
    manager.catalog.create({ Name, EnableIPv6: true, EnableIPv4: false, IPAM: { Config: [{ ...pool, ...more }] } });
  const twice = { AuxiliaryAddresses: { kept: "fd05:b62::1" } };
  expect(await create("twice", twice).catch(({ message }: Error) => message)).toContain("Address already in use");
  await create("text", auxiliary);
  expect(ip6Of(await manager.connect(request("a", "text")))).toBe("fd05:b62::3");
  expect((await manager.catalog.inspect("text", { verbose: false })).IPAM.Config).toEqual([
    { ...pool, ...auxiliary, Subnet: "fd05:b62::/64" },
  ]);
  expect(Object.values((await manager.connect(request("b", "text"))).settings.Networks)[0]?.IPv6Gateway).toBe(
    "fd05:b62::1",
  );
});

test("a container that switches version 6 off has no address of it, and nothing is published there", async () => {
  const manager = await start("v6-off");
  const { hostConfig, ...rest } = request("a", "both", ["8086:80/tcp"]);
  const Sysctls = { "net.ipv6.conf.all.disable_ipv6": "1" };
  const { settings } = await manager.connect({ ...rest, hostConfig: { ...hostConfig, Sysctls } });
  expect(settings.Networks["both"]).toMatchObject({ IPAddress: "10.2.0.2", GlobalIPv6Address: "", IPv6Gateway: "" });
  expect(settings.Ports).toEqual({ "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8086" }] });
});

test("ports are shown by version of the address, whichever of them is translated", async () => {
  const manager = await scratch.start("v6-modes");
  const mode = (family: number) => `com.docker.network.bridge.gateway_mode_ipv${family}`;
  const Options = { [mode(4)]: "routed", [mode(6)]: "nat" };
  const IPAM = { Config: [{ Subnet: "fd06::/64" }] };
  await manager.catalog.create({ Name: "modes", EnableIPv6: true, Options, IPAM });
  const { settings } = await manager.connect(request("a", "modes", ["8087:80/tcp"]));
  expect(settings.Ports["80/tcp"]).toEqual([
    { HostIp: "0.0.0.0", HostPort: "" },
    { HostIp: "::", HostPort: "8087" },
  ]);
});

test("without rules for version 6 its packets pass as they are, and ports are published on version 4 only", async () => {
  const manager = await start("v6-plain", { ip6tables: false });
  const sandbox = await manager.connect(request("a", "both", ["8088:80/tcp"]));
  expect(sandbox.settings.Ports).toEqual({ "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8088" }] });
  const { neighbour, address } = scratch.host;
  for (const port of [80, 81]) await scratch.host.serve(sandbox.netns ?? "", port, `port ${port}`);
  expect(scratch.host.ask(neighbour, address, 8088)).toBe("port 80");
  expect(scratch.host.ask(neighbour, ip6Of(sandbox), 81)).toBe("port 81");
  expect(scratch.host.isSilent(neighbour, sandbox.settings.Networks["both"]?.IPAddress ?? "", 81)).toBe(true);
});
