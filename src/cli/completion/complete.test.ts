/** Completion through the real command table, against a daemon with one container, one image and two networks. */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CliContext } from "../context.ts";
import { parseFlags } from "../flags.ts";
import { command } from "./complete.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-complete-"));
const answers: Record<string, unknown> = {
  "/containers/json": [
    { Names: ["/web"], Image: "nginx", State: "running", Status: "Up 1 second" },
    { Names: ["/old"], Image: "nginx", State: "exited", Status: "Exited (0)" },
  ],
  "/images/json": [{ RepoTags: ["debian:12", "<none>:<none>"] }],
  "/networks": [
    { Name: "bridge", Driver: "bridge" },
    { Name: "blue", Driver: "bridge" },
  ],
};
const server = Bun.serve({
  unix: join(directory, "api.sock"),
  fetch: (request) => Response.json(answers[new URL(request.url).pathname.replace(/^\/v[\d.]+/, "")] ?? []),
});
afterAll(async () => {
  await server.stop(true);
  rmSync(directory, { recursive: true, force: true });
});

async function complete(line: string, host = `unix://${directory}/api.sock`): Promise<string[]> {
  const context = new CliContext({
    program: "gantry",
    config: { directory, values: {} },
    choice: { hosts: [host], context: "", tls: false, tlsVerify: false, tlsCa: "", tlsCert: "", tlsKey: "" },
    env: {},
    debug: false,
  });
  let text = "";
  context.stdout.write = (part) => {
    text += part;
  };
  await command.run(context, parseFlags({}, [], { interspersed: false }).flags, line.split(" "));
  return text
    .split("\n")
    .filter((each) => each !== "")
    .map((each) => each.split("\t")[0] as string);
}

test("commands and nouns, without the hidden ones", async () => {
  expect(await complete("im")).toEqual(["images", "image", "import"]);
  expect(await complete("image pr")).toEqual(["prune"]);
  expect(await complete("__")).toEqual([]);
  expect(await complete("-H tcp://x:1 volume ins")).toEqual(["inspect"]);
});

test("flags of the command, or the global ones", async () => {
  expect(await complete("images --no")).toEqual(["--no-trunc"]);
  expect(await complete("--tlsv")).toEqual(["--tlsverify"]);
});

test("names that fit the command", async () => {
  expect(await complete("stop ")).toEqual(["web"]);
  expect(await complete("start ")).toEqual(["old"]);
  expect(await complete("container rm ")).toEqual(["web", "old"]);
  expect(await complete("rmi d")).toEqual(["debian:12"]);
  expect(await complete("logs web ")).toEqual([]);
  expect(await complete("network connect b")).toEqual(["bridge", "blue"]);
  expect(await complete("network connect blue w")).toEqual(["web"]);
});

test("values of flags, behind a space or an equals sign", async () => {
  expect(await complete("run --network bl")).toEqual(["blue"]);
  expect(await complete("run --network=bl")).toEqual(["--network=blue"]);
  expect(await complete("run --env-file ")).toEqual([":files"]);
  expect(await complete("run debian:12 ")).toEqual([":files"]);
});

test("a daemon that does not answer has no names", async () => {
  expect(await complete("stop ", `unix://${directory}/none.sock`)).toEqual([]);
});

test("plugins are among the commands, and are asked for what is theirs", async () => {
  mkdirSync(join(directory, "cli-plugins"));
  const script = `#!/bin/sh
[ "$1" = docker-cli-plugin-metadata ] || [ -n "$DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND" ] || exit 1
case "$1 $2 $3" in
docker-cli-plugin-metadata*) echo '{"SchemaVersion":"0.1.0","Vendor":"x","ShortDescription":"Greets"}' ;;
'__complete greet file') echo :0 ;;
'__complete greet none') echo :4 ;;
*) printf '%s\\tsaid\\nother\\n:4\\nCompletion ended\\n' "$3" ;;
esac
`;
  writeFileSync(join(directory, "cli-plugins/docker-greet"), script, { mode: 0o755 });
  expect(await complete("gre")).toEqual(["greet"]);
  expect(await complete("greet hel")).toEqual(["hel"]);
  expect(await complete("-D greet o")).toEqual(["o", "other"]);
  expect(await complete("greet none")).toEqual([]);
  expect(await complete("greet file")).toEqual([":files"]);
  expect(await complete("nothere x")).toEqual([]);
  writeFileSync(join(directory, "cli-plugins/docker-buildx"), script, { mode: 0o755 });
  expect(await complete("bake ba")).toEqual(["bake"]);
});
