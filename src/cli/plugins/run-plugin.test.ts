import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "gantry-plugin-run-"));
const directory = join(folder, "cli-plugins");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const metadata = JSON.stringify({ SchemaVersion: "0.1.0", Vendor: "Somebody" });
const shell = (script: string) =>
  `#!/bin/sh\nif [ "$1" = docker-cli-plugin-metadata ]; then echo '${metadata}'; exit; fi\n${script}\n`;

// Waits for the end of the socket, as docker's own plugins do.
const waiting = `#!${process.execPath}
if (process.argv[2] === "docker-cli-plugin-metadata") {
  console.log('${metadata}');
} else {
  process.on("SIGTERM", () => {});
  const socket = require("node:net").connect(process.env.DOCKER_CLI_PLUGIN_SOCKET.replace("@", "\\0"));
  socket.on("connect", () => console.log("connected"));
  socket.on("end", () => process.argv.includes("stubborn") || process.exit(7));
  setInterval(() => {}, 1000);
}
`;

beforeAll(() => {
  mkdirSync(directory);
  const add = (name: string, text: string) => writeFileSync(join(directory, `docker-${name}`), text, { mode: 0o755 });
  add("echo", shell(`echo "$*"; echo "$DOCKER_HOST $GANTRY_PROGRAM_NAME"; cat; exit 5`));
  add("buildx", shell(`echo "$*"`));
  add("waiting", waiting);
});

function start(line: string[], env: Record<string, string> = {}) {
  return Bun.spawn([process.execPath, join(import.meta.dir, "../../main.ts"), ...line], {
    env: { PATH: process.env["PATH"] ?? "", DOCKER_CONFIG: folder, ...env },
    stdin: new Blob(["input\n"]),
    stdout: "pipe",
    stderr: "pipe",
  });
}

async function run(line: string[], env: Record<string, string> = {}) {
  const child = start(line, env);
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { out, err, code: await child.exited };
}

test("it gets the whole command line, the streams and the daemon, and gives the exit code", async () => {
  const found = await run(["-l", "info", "echo", "--flag", "word"]);
  const out = "-l info echo --flag word\nunix:///run/gantry.sock gantry\ninput\n";
  expect(found).toEqual({ out, err: "", code: 5 });
});

test("a chosen daemon is left alone, and so is docker's own default", async () => {
  expect((await run(["echo"], { DOCKER_HOST: "tcp://h" })).out).toContain("\ntcp://h gantry\n");
  expect((await run(["echo"], { GANTRY_PROGRAM_NAME: "docker" })).out).toContain(
    "\nunix:///var/run/docker.sock docker\n",
  );
});

test("help of a plugin is the plugin's, and bake is buildx's", async () => {
  expect((await run(["help", "echo"])).out).toStartWith("help echo\n");
  expect((await run(["--debug", "bake", "web"])).out).toBe("--debug buildx bake web\n");
  expect((await run(["-l", "info", "-H", "bake", "bake"])).out).toBe("-l info -H bake buildx bake\n");
});

test("without a plugin the word is unknown", async () => {
  const found = await run(["nothing"]);
  expect(found).toEqual({
    out: "",
    err: "gantry: unknown command: gantry nothing\n\nRun 'gantry --help' for more information\n",
    code: 1,
  });
  expect((await run(["help", "nothing"])).err).toBe("unknown help topic: nothing\n");
  expect((await run(["nothing", "--help"])).out).toStartWith("Usage:  gantry [OPTIONS] COMMAND\n");
});

async function connected(line: string[]) {
  const child = start(line);
  const reader = child.stdout.getReader();
  await reader.read();
  return child;
}

test("a signal reaches it as the end of its socket", async () => {
  const child = await connected(["waiting"]);
  child.kill("SIGTERM");
  expect(await child.exited).toBe(7);
});

test("the third signal kills it", async () => {
  const child = await connected(["waiting", "stubborn"]);
  for (let count = 0; child.exitCode === null && count < 100; count++) {
    child.kill("SIGTERM");
    await Bun.sleep(50);
  }
  expect(await child.exited).toBe(1);
  expect(await new Response(child.stderr).text()).toBe("got 3 SIGTERM/SIGINTs, forcefully exiting\n");
});
