import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorKind } from "../base/errors.ts";
import { Authorization } from "./authorization.ts";
import { findPlugin, listPlugins, type PluginDirectories } from "./discovery.ts";
import { Plugins } from "./plugins.ts";

let root: string;
let directories: PluginDirectories;
const servers: { stop(force: boolean): void }[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "gantry-plugins-"));
  directories = { sockets: join(root, "run"), specs: [join(root, "etc"), join(root, "lib")] };
  for (const path of [directories.sockets, ...directories.specs]) mkdirSync(path);
});

afterEach(() => {
  for (const server of servers.splice(0)) server.stop(true);
  rmSync(root, { recursive: true });
});

function serve(path: string, answers: Record<string, object | string>, seen: unknown[] = []): void {
  const server = Bun.serve({
    unix: path,
    async fetch(request) {
      const method = new URL(request.url).pathname.slice(1);
      seen.push([method, await request.json()]);
      const answer = answers[method];
      if (answer === undefined) return new Response("404 page not found\n", { status: 404 });
      return typeof answer === "string" ? new Response(answer, { status: 500 }) : Response.json(answer);
    },
  });
  servers.push(server);
}

const plugins = () => new Plugins({ warn: () => undefined }, directories);

test("sockets come before specs, and each may lie in a directory of its own name", () => {
  const [etc, lib] = directories.specs as [string, string];
  mkdirSync(join(directories.sockets, "two"));
  serve(join(directories.sockets, "one.sock"), {});
  serve(join(directories.sockets, "two/two.sock"), {});
  writeFileSync(join(etc, "one.spec"), "tcp://never:1");
  writeFileSync(join(etc, "three.spec"), "tcp://host:8080\n");
  writeFileSync(
    join(lib, "four.json"),
    '{"Name":"four","Addr":"https://host:1","TLSConfig":{"InsecureSkipVerify":false}}',
  );
  writeFileSync(join(lib, "five.spec"), "nothing");
  writeFileSync(join(directories.sockets, "six.sock"), "no socket");
  expect(listPlugins(directories)).toEqual(["five", "four", "one", "six", "three", "two"]);
  expect(findPlugin("one", directories)).toEqual({ unix: join(directories.sockets, "one.sock") });
  expect(findPlugin("two", directories)).toEqual({ unix: join(directories.sockets, "two/two.sock") });
  expect(findPlugin("three", directories)).toEqual({ host: "host:8080" });
  expect(findPlugin("four", directories)).toEqual({ host: "host:1", tls: { verify: false } });
  expect(() => findPlugin("five", directories)).toThrow("unknown protocol");
  for (const name of ["six", "seven", "", ".", "..", "../run/one"])
    expect(findPlugin(name, directories)).toBeUndefined();
});

test("a plugin is activated once; its errors are its own words", async () => {
  const seen: unknown[] = [];
  serve(
    join(directories.sockets, "one.sock"),
    {
      "Plugin.Activate": { Implements: ["VolumeDriver"] },
      Good: { Value: 1 },
      Bad: { Err: "boom" },
      Broken: '{"Err":"bang"}',
    },
    seen,
  );
  const all = plugins();
  const { client } = await all.get("one", "VolumeDriver");
  await all.get("one", "VolumeDriver");
  expect(await client.call<{ Value: number }>("Good", { a: 1 })).toEqual({ Value: 1 });
  expect(client.call("Bad", {})).rejects.toThrow(/^boom$/);
  expect(client.call("Broken", {})).rejects.toThrow(/^Broken: bang$/);
  expect(client.call("Missing", {})).rejects.toThrow(/^Missing: 404 page not found$/);
  await expect(all.get("one", "authz")).rejects.toThrow("Plugin does not implement the requested driver");
  await expect(all.get("none", "authz")).rejects.toThrow('plugin "none" not found');
  expect(seen.filter((call) => JSON.stringify(call).includes("Activate"))).toHaveLength(1);
  expect(all.activeNames("VolumeDriver")).toEqual(["one"]);
});

test("one that does not answer is passed over in a listing, and looked for again the next time", async () => {
  const path = join(directories.sockets, "late.sock");
  serve(path, {});
  const all = plugins();
  expect(await all.all("VolumeDriver")).toEqual([]);
  servers.pop()?.stop(true);
  rmSync(path, { force: true });
  serve(path, { "Plugin.Activate": { Implements: ["VolumeDriver"] } });
  expect((await all.all("VolumeDriver")).map(({ name }) => name)).toEqual(["late"]);
});

test("all authorization plugins must allow; one that fails or says nothing does not", async () => {
  const yes = { "Plugin.Activate": { Implements: ["authz"] }, "AuthZPlugin.AuthZReq": { Allow: true } };
  serve(join(directories.sockets, "yes.sock"), yes);
  serve(join(directories.sockets, "no.sock"), { ...yes, "AuthZPlugin.AuthZReq": { Allow: false, Msg: "never" } });
  serve(join(directories.sockets, "odd.sock"), { ...yes, "AuthZPlugin.AuthZReq": {} });
  serve(join(directories.sockets, "ill.sock"), { ...yes, "AuthZPlugin.AuthZReq": "out of order" });
  const request = { RequestMethod: "GET", RequestUri: "/info", RequestHeaders: {} };
  const ask = async (...names: string[]) => {
    try {
      const authorization = new Authorization(plugins());
      await authorization.use(names);
      await authorization.authorizeRequest(request);
      return "allowed";
    } catch (error) {
      return `${errorKind(error)}: ${(error as Error).message}`;
    }
  };
  expect(await ask("yes")).toBe("allowed");
  expect(await ask("yes", "no")).toBe("forbidden: authorization denied by plugin no: never");
  expect(await ask("odd")).toBe("forbidden: authorization denied by plugin odd: ");
  expect(await ask("ill")).toBe("internal: plugin ill failed with error: AuthZPlugin.AuthZReq: out of order");
  expect(await ask("gone")).toBe('internal: failed to validate authorization plugin: plugin "gone" not found');
});
