import { expect, test } from "bun:test";
import { applyRuleset } from "../../../linux/nft/nftables.ts";
import type { NetworkManager } from "../network-manager.ts";
import { useScratchManagers } from "../scratch-managers.ts";
import type { SandboxRequest } from "../settings/network-mode.ts";

const scratch = useScratchManagers();
const config = { firewallMode: "input" } as const;

const request = (id: string, ports: Record<string, { HostIp: string; HostPort: string }[]>): SandboxRequest => ({
  ...{ containerId: id, name: id, networking: undefined },
  config: { ExposedPorts: Object.fromEntries(Object.keys(ports).map((port) => [port, {}])) },
  hostConfig: { NetworkMode: "both", PortBindings: ports },
});
const from = (address: string, port: number) => scratch.host.ask(scratch.host.neighbour, address, port);

/** A manager with a network of both versions. */
async function start(instance: string, firewall: object = config): Promise<NetworkManager> {
  const manager = await scratch.start(instance, { config: firewall });
  await manager.catalog.create({ Name: "both", EnableIPv6: true });
  return manager;
}

/** The host's own firewall: `rules` of its INPUT chain, which drops the rest. */
function setInput(rules: string): void {
  applyRuleset(`table inet host { }
    delete table inet host
    table inet host {
      chain input {
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        meta l4proto ipv6-icmp accept
        iifname "lo" accept
        ${rules}
      }
    }
  `);
}

test("published ports are reached as INPUT says, by the client's own address", async () => {
  const { host } = scratch;
  const manager = await start("gate");
  const sandbox = await manager.connect(request("a", { "80/tcp": [{ HostIp: "", HostPort: "8080" }] }));
  const peers = ["sh", "-c", "netstat -tn | grep -o '10.99.0.2\\|fd99::2' | head -1"];
  const argv = ["nsenter", `--net=${sandbox.netns}`, "busybox", "nc", "-ll", "-p", "80", "-e", ...peers];
  const server = Bun.spawn(argv, { stdout: "ignore", stderr: "ignore" });
  await Bun.sleep(300);
  const clients = () => [from(host.address, 8080), from(host.address6, 8080)];
  expect(clients()).toEqual(["10.99.0.2", "fd99::2"]);
  setInput("");
  expect(host.isSilent(host.neighbour, host.address, 8080)).toBe(true);
  expect(host.isSilent(host.neighbour, host.address6, 8080)).toBe(true);
  setInput("ip saddr 10.99.0.2 tcp dport 8080 accept\nip6 saddr fd99::2 tcp dport 8080 accept");
  expect(clients()).toEqual(["10.99.0.2", "fd99::2"]);
  setInput("ip saddr 10.99.0.7 tcp dport 8080 accept");
  expect(host.isSilent(host.neighbour, host.address, 8080)).toBe(true);
  host.run("nft", "delete", "table", "inet", "host");
  server.kill();
  await server.exited;
});

test("the host's loopback, one address only, other containers, and what is published later", async () => {
  const { host } = scratch;
  const manager = await start("gate-more");
  const at = { "80/tcp": [{ HostIp: host.address, HostPort: "8081" }] };
  const sandbox = await manager.connect(request("a", at));
  const other = await manager.connect(request("b", {}));
  await host.serve(sandbox.netns ?? "", 80, "hello");
  expect(from(host.address, 8081)).toBe("hello");
  expect(host.ask(other.netns, host.address, 8081)).toBe("hello");
  expect(host.ask(undefined, host.address, 8081)).toBe("hello");
  await manager.republish(request("a", { "80/tcp": [...at["80/tcp"], { HostIp: "", HostPort: "8082" }] }));
  expect([from(host.address, 8082), from(host.address6, 8082)]).toEqual(["hello", "hello"]);
  expect(host.ask(undefined, "127.0.0.1", 8082)).toBe("hello");
  await manager.release("a");
  expect(host.isSilent(host.neighbour, host.address, 8082)).toBe(true);
});

test("many packets of one connection, and UDP", async () => {
  const { host } = scratch;
  const manager = await start("gate-flows");
  const ports = { "80/tcp": [{ HostIp: "", HostPort: "8080" }], "53/udp": [{ HostIp: "", HostPort: "5353" }] };
  const sandbox = await manager.connect(request("a", ports));
  const argv = ["nsenter", `--net=${sandbox.netns}`, "busybox", "nc", "-ll", "-p", "80", "-e", "head", "-c", "3000000"];
  const server = Bun.spawn([...argv, "/dev/zero"], { stdout: "ignore", stderr: "ignore" });
  await Bun.sleep(300);
  const client = ["nsenter", `--net=${host.neighbour}`, "sh", "-c", `nc ${host.address} 8080 </dev/null | wc -c`];
  expect(host.run(...client.slice(0, 2), "busybox", ...client.slice(2)).trim()).toBe("3000000");
  server.kill();
  await server.exited;

  const inside = await host.openUdp(sandbox.netns ?? "", 53);
  const outside = await host.openUdp(host.neighbour, 4000);
  for (const text of ["one", "two"]) {
    outside.send(text, host.address, 5353);
    await Bun.sleep(100);
  }
  expect(inside.received).toEqual(["one", "two"]);
});

test("the gate comes and goes with the mode, and after others removed its table", async () => {
  const { host } = scratch;
  const links = () => host.run("ip", "-br", "link").match(/^gw[ex]-\w+/gm) ?? [];
  const manager = await start("gate-mode");
  expect(links()).toHaveLength(2);
  expect(host.run("nft", "list", "tables")).toContain("table ip6 gantry-gate-mode-gate");
  host.run("nft", "flush", "ruleset");
  for (let tries = 0; tries < 50 && !host.run("nft", "list", "tables").includes("mode-gate"); tries++)
    await Bun.sleep(100);
  expect(host.run("nft", "list", "tables")).toContain("table ip gantry-gate-mode-gate");
  await manager.close({ keep: true });
  await start("gate-mode", {});
  expect(links()).toEqual([]);
  expect(host.run("nft", "list", "tables")).not.toContain("mode-gate");
});
