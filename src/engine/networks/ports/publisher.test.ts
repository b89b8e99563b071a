import { expect, test } from "bun:test";
import type { PortMap } from "../../../api/container-config.ts";
import { Database } from "../../../metadata/database.ts";
import type { NetworkManager, Sandbox } from "../network-manager.ts";
import { useScratchManagers } from "../scratch-managers.ts";
import type { SandboxRequest } from "../settings/network-mode.ts";

const scratch = useScratchManagers();

/** A container that publishes `8080:80`, `:81` (any port) … */
function request(id: string, ports: string[]): SandboxRequest {
  const bindings: PortMap = {};
  for (const port of ports) {
    const [HostPort = "", key = ""] = port.split(":");
    bindings[`${key}/tcp`] = [...(bindings[`${key}/tcp`] ?? []), { HostIp: "", HostPort }];
  }
  const config = { ExposedPorts: Object.fromEntries(Object.keys(bindings).map((key) => [key, {}])) };
  return { containerId: id, name: id, config, hostConfig: { PortBindings: bindings }, networking: undefined };
}

const shown = (manager: NetworkManager, id: string) =>
  Object.entries(manager.currentSettings(id)?.Ports ?? {}).flatMap(([key, list]) =>
    (list ?? []).map(({ HostIp, HostPort }) => `${HostIp}:${HostPort}->${key}`),
  );
const messageOf = (work: Promise<unknown>) =>
  work.then(
    () => "",
    ({ message }: Error) => message,
  );

/** A container whose ports 80 and 81 say so. */
async function serve(manager: NetworkManager, ports: string[]): Promise<Sandbox> {
  const sandbox = await manager.connect(request("web", ports));
  for (const port of [80, 81]) await scratch.host.serve(sandbox.netns ?? "", port, `port ${port}`);
  return sandbox;
}
const ask = (port: number) => scratch.host.ask(scratch.host.neighbour, scratch.host.address, port);

test("a running container publishes more, and less", async () => {
  const manager = await scratch.start("publish-more");
  await serve(manager, ["8080:80"]);
  await manager.republish(request("web", ["8080:80", "8081:81"]));
  expect([ask(8080), ask(8081)]).toEqual(["port 80", "port 81"]);
  expect(shown(manager, "web")).toEqual(["0.0.0.0:8080->80/tcp", "0.0.0.0:8081->81/tcp"]);
  await manager.republish(request("web", ["8081:81"]));
  expect(scratch.host.isSilent(scratch.host.neighbour, scratch.host.address, 8080)).toBe(true);
  expect(ask(8081)).toBe("port 81");
  await manager.republish(request("web", []));
  expect(shown(manager, "web")).toEqual([]);
  // The ports are others' again.
  await manager.connect(request("other", ["8080:80", "8081:81"]));
});

test("host ports change places; a random one that stays is the same", async () => {
  const manager = await scratch.start("publish-swap");
  await serve(manager, ["8080:80", "8081:81", ":80"]);
  const random = shown(manager, "web").filter((line) => !line.includes(":808"));
  await manager.republish(request("web", [":80", "8081:80", "8080:81"]));
  expect([ask(8080), ask(8081)]).toEqual(["port 81", "port 80"]);
  expect(shown(manager, "web")).toEqual(expect.arrayContaining(random));
  expect(shown(manager, "web")).toHaveLength(3);
});

test("a connection lives on while other ports come and go", async () => {
  const manager = await scratch.start("publish-live");
  const sandbox = await serve(manager, ["8080:80"]);
  const echo = ["nsenter", `--net=${sandbox.netns}`, "busybox", "nc", "-l", "-p", "90", "-e", "cat"];
  await manager.republish(request("web", ["8080:80", "9090:90"]));
  const server = Bun.spawn(echo, { stdout: "ignore", stderr: "ignore" });
  const client = ["nsenter", `--net=${scratch.host.neighbour}`, "busybox", "nc", scratch.host.address, "9090"];
  await Bun.sleep(200);
  const talk = Bun.spawn(client, { stdin: "pipe", stdout: "pipe" });
  const reader = talk.stdout.getReader();
  const say = async (text: string) => {
    talk.stdin.write(text);
    talk.stdin.flush();
    return new TextDecoder().decode((await reader.read()).value);
  };
  expect(await say("one")).toBe("one");
  await manager.republish(request("web", ["9090:90"]));
  await manager.republish(request("web", ["9090:90", "8082:80"]));
  expect(await say("two")).toBe("two");
  talk.kill();
  server.kill();
  await Promise.all([talk.exited, server.exited]);
});

test("what cannot be had changes nothing", async () => {
  const database = new Database(":memory:");
  const manager = await scratch.start("publish-fails", { database });
  await serve(manager, ["8080:80", "8081:81"]);
  await manager.connect(request("other", ["9000:80"]));
  const rows = () => database.all<{ row: string }>("SELECT host_port || container AS row FROM ports ORDER BY row");
  const before = [shown(manager, "web"), rows()];
  expect(await messageOf(manager.republish(request("web", ["8082:80", "9000:81"])))).toContain(
    "Bind for 0.0.0.0:9000 failed: port is already allocated",
  );
  expect([shown(manager, "web"), rows()]).toEqual(before);
  expect([ask(8080), ask(8081)]).toEqual(["port 80", "port 81"]);
  expect(() => Bun.listen({ hostname: "0.0.0.0", port: 8080, socket: { data() {} } })).toThrow();
  await manager.connect(request("third", ["8082:80"]));
});

test("a thousand ports are published in one change", async () => {
  const manager = await scratch.start("publish-many");
  const ports = Array.from({ length: 1000 }, (_, index) => `${20000 + index}:${index === 999 ? 80 : 1000 + index}`);
  await serve(manager, []);
  const before = performance.now();
  await manager.republish(request("web", ports));
  expect(performance.now() - before).toBeLessThan(1000);
  expect(ask(20999)).toBe("port 80");
  await manager.republish(request("web", []));
  expect(scratch.host.isSilent(scratch.host.neighbour, scratch.host.address, 20999)).toBe(true);
});
