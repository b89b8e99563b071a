import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nounHelp } from "../usage.ts";
import { findPlugin, listPlugins, pluginDirectories } from "./plugins.ts";

const folder = mkdtempSync(join(tmpdir(), "gantry-plugins-"));
const first = join(folder, "first");
const second = join(folder, "second");
const directories = [join(folder, "nothere"), first, second];
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function plugin(directory: string, name: string, script: string, mode = 0o755): void {
  writeFileSync(join(directory, `docker-${name}`), `#!/bin/sh\n${script}\n`, { mode });
}

const says = (metadata: object | string) =>
  `[ "$1" = docker-cli-plugin-metadata ] && echo '${typeof metadata === "string" ? metadata : JSON.stringify(metadata)}'`;
const metadata = { SchemaVersion: "0.1.0", Vendor: "Somebody", Version: "v1", ShortDescription: "Greets" };

beforeAll(() => {
  for (const directory of [first, second]) mkdirSync(directory);
  plugin(first, "hello", says(metadata));
  plugin(second, "hello", says({ ...metadata, ShortDescription: "Hidden by the first" }));
  plugin(second, "secret", says({ ...metadata, Hidden: true }));
  plugin(first, "ps", says(metadata));
  plugin(first, "broken", says("{i'm not json}".replace("'", "")));
  plugin(first, "failing", "exit 3");
  plugin(first, "plain", says(metadata), 0o644);
  plugin(first, "Upper", says(metadata));
  plugin(first, "future", says({ ...metadata, SchemaVersion: "2.0.0" }));
  plugin(first, "nobodys", says({ SchemaVersion: "0.1.0" }));
  symlinkSync("/nothere", join(first, "docker-dangling"));
  writeFileSync(join(first, "other"), "");
});

test("what can be used is found, the first of a name", async () => {
  const path = join(first, "docker-hello");
  expect(await findPlugin("hello", directories)).toEqual({ ...metadata, Name: "hello", Path: path });
  expect(await findPlugin("secret", directories)).toMatchObject({ Hidden: true });
  for (const name of ["ps", "broken", "failing", "plain", "Upper", "dangling", "nothing", "../first/docker-hello"]) {
    expect([name, await findPlugin(name, directories)]).toEqual([name, undefined]);
  }
});

test("what cannot says why", async () => {
  const all = await listPlugins(directories);
  expect(Object.fromEntries(all.map(({ Name, Err }) => [Name, Err]))).toEqual({
    hello: undefined,
    secret: undefined,
    ps: 'plugin "ps" duplicates builtin command',
    broken: "invalid metadata: invalid character 'i' looking for beginning of object key string",
    failing: "failed to fetch metadata: exit status 3",
    plain: `failed to fetch metadata: fork/exec ${join(first, "docker-plain")}: permission denied`,
    Upper: 'plugin candidate "Upper" did not match "^[a-z][a-z0-9]*$"',
    future: 'plugin SchemaVersion "2.0.0" is not supported: must be lower than 2.0.0',
    nobodys: "plugin metadata does not define a vendor",
  });
  expect(all.find(({ Name }) => Name === "hello")?.ShadowedPaths).toEqual([join(second, "docker-hello")]);
});

test("help lists the usable among the nouns and the others with their reasons", async () => {
  const image = { name: "image", summary: "Manage images", children: [] };
  const text = nounHelp("docker", "x", [image], 80, { globals: {}, plugins: await listPlugins(directories) });
  expect(text).toContain("Management Commands:\n  hello*      Greets\n  image       Manage images\n\n");
  expect(text).toContain('Invalid Plugins:\n  Upper       plugin candidate "Upper" did not match');
  expect(text).not.toContain("secret");
});

test("the configuration's directories come first, then the user's own, then the system's", () => {
  const found = pluginDirectories({ directory: "/home/u/.docker", values: { cliPluginsExtraDirs: ["/extra"] } });
  expect(found.slice(0, 3)).toEqual(["/extra", "/home/u/.docker/cli-plugins", "/usr/local/lib/docker/cli-plugins"]);
});
