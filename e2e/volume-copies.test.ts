/**
 * Volumes as wholes, which Docker does not have: snapshots, clones, archives, artifacts in a registry, scheduled backups. By Gantry's own
 * CLI; each is also cut off by `kill -9`.
 */
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { useTarget } from "./lib/journey.ts";
import { TestRegistries } from "./lib/registries.ts";
import { must, type Outcome, run, until } from "./lib/run.ts";
import { gantryCommand, targetKind } from "./lib/settings.ts";

let registries: TestRegistries | undefined;
afterAll(() => registries?.stop());

const target = useTarget();
const own = test.if(targetKind === "gantry");
const registryAddress = "localhost:5983";

function gantry(...args: string[]): Promise<Outcome> {
  return run([...gantryCommand(), ...args], { env: target().cliEnvironment });
}

async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await gantry(...args);
  if (code !== 0) throw new Error(`gantry ${args.join(" ")}: ${stderr}`);
  return stdout.trimEnd();
}

const refusal = async (...args: string[]) => (await gantry(...args)).stderr.trimEnd();
const sh = (volume: string, script: string) =>
  target().must("run", "--rm", "-v", `${volume}:/v`, "busybox", "sh", "-c", script);
/** What a tree is: names, modes, owners, links, contents. */
const describeTree = "cd /v; find . | sort | while read f; do stat -c '%n %F %a %u:%g %h' \"$f\"; done; cat a/b c";
const makeTree =
  "cd /v; chown 7:8 .; chmod 2750 .; mkdir a; echo one >a/b; ln a/b a/hard; ln -s ../../etc/passwd a/link; echo two >c; chown 1:2 c; chmod 4755 c; mkfifo p";

own("a snapshot is taken, listed, survives a restart, is put back, and goes", async () => {
  await sh("one", makeTree);
  const before = await sh("one", describeTree);
  expect(await ok("volume", "snapshot", "create", "--label", "why=test", "one", "first")).toBe("first");
  await sh("one", "rm -r /v/a; echo changed >/v/c; echo more >/v/d");
  expect(await ok("volume", "snapshot", "create", "one")).toMatch(/^one-\d{8}T\d{6}Z$/);
  await target().stopDaemon();
  await target().startDaemon();
  expect((await ok("volume", "snapshot", "ls", "-q")).split("\n")).toHaveLength(2);
  expect(await ok("volume", "snapshot", "ls", "-f", "label=why", "--format", "{{.Name}} {{.Volume}} {{.Size}}")).toBe(
    "first one 24B",
  );
  expect(JSON.parse(await ok("volume", "snapshot", "inspect", "first"))).toEqual([
    { Name: "first", Volume: "one", CreatedAt: expect.any(String), Size: expect.any(Number), Labels: { why: "test" } },
  ]);
  expect(await ok("volume", "restore", "first")).toBe("one");
  expect(await sh("one", describeTree)).toBe(before);
  expect(await ok("volume", "restore", "first", "other")).toBe("other");
  expect(await sh("other", describeTree)).toBe(before);
  expect(await refusal("volume", "restore", "first", "other")).toContain("volume other holds data already");
  await ok("volume", "restore", "--replace", "first", "other");
  expect(await ok("volume", "clone", "one", "twin")).toBe("twin");
  expect(await sh("twin", describeTree)).toBe(before);
  expect(await refusal("volume", "clone", "one", "twin")).toContain("a volume of this name exists already");
  await ok("volume", "snapshot", "rm", "first");
  expect(await refusal("volume", "snapshot", "inspect", "first")).toContain("No such volume snapshot: first");
  expect(await refusal("volume", "snapshot", "create", "nothere")).toContain("get nothere: no such volume");
  expect(await refusal("volume", "snapshot", "create", "one", "../x")).toContain("invalid name");
});

own("a container that writes stands still meanwhile; one that runs keeps its volume from being replaced", async () => {
  // Two files that always change together: a copy at one moment has at most one step between them.
  const writer = "i=0; while :; do i=$((i+1)); printf %08d $i 1<>/v/x; printf %08d $i 1<>/v/y; done";
  const fill = "head -c 60000000 /dev/urandom >/v/0-first; echo 0 >/v/x; echo 0 >/v/y";
  await sh("busy", fill);
  await target().must("run", "-d", "--name", "writer", "-v", "busy:/v", "busybox", "sh", "-c", writer);
  await ok("volume", "clone", "busy", "still");
  const [x = 0, y = 0] = (await sh("still", "cat /v/x; echo; cat /v/y")).split("\n").map(Number);
  expect(x - y === 0 || x - y === 1).toBe(true);
  const now = async () => Number(await target().must("exec", "writer", "cat", "/v/y"));
  const seen = await now();
  await until("the writer to go on", async () => (await now()) > seen + 10);
  await ok("volume", "snapshot", "create", "busy", "b1");
  expect(await refusal("volume", "restore", "b1")).toContain("volume busy is in use by running containers [writer]");
  await target().must("pause", "writer");
  await ok("volume", "snapshot", "create", "busy", "b2");
  expect(await target().must("inspect", "-f", "{{.State.Status}}", "writer")).toBe("paused");
  await target().must("unpause", "writer");
  await target().must("rm", "-f", "writer");
  expect(await ok("volume", "restore", "b1")).toBe("busy");
});

own("archives: to a file, a directory, a pipe, and back; what is corrupt changes nothing", async () => {
  const directory = join(target().root, "archives");
  mkdirSync(directory);
  await sh("tree", makeTree);
  const before = await sh("tree", describeTree);
  const file = join(target().root, "tree.tar");
  await ok("volume", "export", "-o", file, "tree");
  expect((await must(["tar", "-tf", file])).split("\n")[0]).toBe("./");
  const archive = await ok("volume", "export", "-o", directory, "tree");
  expect(archive).toMatch(/\/archives\/tree-\d{8}T\d{6}Z\.tar$/);
  await sh("tree", "echo changed >/v/c");
  expect(await refusal("volume", "import", directory, "tree")).toContain("volume tree holds data already");
  await ok("volume", "import", "--replace", directory, "tree");
  expect(await sh("tree", describeTree)).toBe(before);
  const gantryShell = gantryCommand().join(" ");
  await must(["sh", "-c", `${gantryShell} volume export tree | gzip | ${gantryShell} volume import - piped`], {
    env: target().cliEnvironment,
  });
  expect(await sh("piped", describeTree)).toBe(before);
  writeFileSync(file, readFileSync(file).subarray(0, 3000));
  expect(await refusal("volume", "import", "--replace", file, "tree")).toContain("unexpected EOF");
  expect(await refusal("volume", "import", file, "fresh")).toContain("unexpected EOF");
  expect(await target().must("volume", "ls", "-q", "-f", "name=fresh")).toBe("");
  expect(await sh("tree", describeTree)).toBe(before);
});

own("an artifact in Gantry's registry, and back with its labels", async () => {
  registries = new TestRegistries(target());
  await registries.start("gantry registry", registryAddress);
  await target().must("volume", "create", "--label", "team=blue", "sent");
  await sh("sent", makeTree);
  const before = await sh("sent", describeTree);
  const pushed = await ok("volume", "push", "sent", `${registryAddress}/volumes/sent:1`);
  const digest = /1: digest: (sha256:[0-9a-f]{64})/.exec(pushed)?.[1];
  const manifest = JSON.parse(
    (await target().host.run("curl", "-s", `http://${registryAddress}/v2/volumes/sent/manifests/1`)).stdout,
  );
  expect(manifest.artifactType).toBe("application/vnd.gantry.volume.v1");
  await ok("volume", "pull", `${registryAddress}/volumes/sent@${digest}`, "received");
  expect(await sh("received", describeTree)).toBe(before);
  expect(await target().must("volume", "inspect", "-f", "{{json .Labels}}", "received")).toBe('{"team":"blue"}');
  expect(await refusal("volume", "pull", `${registryAddress}/volumes/sent:1`, "received")).toContain(
    "holds data already",
  );
  await target().must("tag", "busybox", `${registryAddress}/bb:1`);
  await target().must("push", `${registryAddress}/bb:1`);
  expect(await refusal("volume", "pull", `${registryAddress}/bb:1`, "wrong")).toContain("is not a volume");
  expect(await refusal("volume", "pull", `${registryAddress}/volumes/none:1`, "wrong")).toContain("manifest unknown");
});

own("scheduled backups are taken and the oldest go, as snapshots and as archives; they survive a restart", async () => {
  const directory = join(target().root, "backups");
  mkdirSync(directory);
  await sh("kept", "echo 1 >/v/c");
  expect(await ok("volume", "backup", "create", "-s", "@every 1s", "--keep", "2", "kept")).toBe("kept");
  await ok("volume", "backup", "create", "-s", "@every 1s", "--keep", "2", "-d", directory, "--name", "files", "kept");
  const backups = async (name: string) =>
    JSON.parse(await ok("volume", "backup", "inspect", name))[0].Backups as string[];
  const prunes = async (name: string) => {
    const [first] = await until("a backup", async () => ((await backups(name)).length > 0 ? backups(name) : undefined));
    await until("the oldest to go", async () => {
      const now = await backups(name);
      return now.length === 2 && !now.includes(first as string);
    });
    return first as string;
  };
  const gone = await prunes("kept");
  expect(await refusal("volume", "snapshot", "inspect", gone)).toContain("No such volume snapshot");
  expect(existsSync(await prunes("files"))).toBe(false);
  await target().stopDaemon();
  await target().startDaemon();
  await prunes("kept");
  await prunes("files");
  expect(await ok("volume", "backup", "ls", "-q")).toBe("files\nkept");
  await ok("volume", "backup", "rm", "kept", "files");
  await until("runs to end", async () => !readdirSync(directory).some((name) => name.endsWith(".part")));
  const [newest] = readdirSync(directory).sort().reverse();
  await ok("volume", "import", join(directory, newest as string), "from-backup");
  expect(await sh("from-backup", "cat /v/c")).toBe("1");
  expect(await refusal("volume", "backup", "create", "-s", "sometimes", "kept")).toContain("invalid schedule");
  expect(await refusal("volume", "backup", "create", "-d", "relative", "kept")).toContain("must be an absolute path");
  expect(await refusal("volume", "backup", "create", "--keep", "0", "kept")).toContain("at least 1");
});

/** The daemon is killed in the middle of what a command asks for, and starts again. */
async function cut(argv: readonly string[], millis: number): Promise<void> {
  const running = gantry(...argv);
  await Bun.sleep(millis);
  await target().stopDaemon("SIGKILL");
  await running;
  await target().startDaemon();
}

own("kill -9 in the middle of each leaves nothing half done", async () => {
  await sh("big", "for i in 1 2 3 4 5 6 7 8; do head -c 20000000 /dev/urandom >/v/$i; done; sync");
  const sums = "cd /v && md5sum * | sort";
  const before = await sh("big", sums);
  const file = join(target().root, "big.tar");
  await ok("volume", "export", "-o", file, "big");
  await ok("volume", "snapshot", "create", "big", "whole");
  await target().must(
    "run",
    "-d",
    "--name",
    "user",
    "-v",
    "big:/v",
    "busybox",
    "sh",
    "-c",
    "while :; do sleep 0.1; date; done",
  );
  const snapshots = join(target().dataRoot, "volume-snapshots");
  const volumes = join(target().dataRoot, "volumes");
  for (const [index, argv] of [
    ["volume", "snapshot", "create", "big", "cut"],
    ["volume", "clone", "big", "cut-clone"],
    ["volume", "restore", "whole", "cut-restore"],
    ["volume", "import", file, "cut-import"],
    ["volume", "export", "-o", "/dev/null", "big"],
  ].entries()) {
    // Each a little later than the one before: in the copy, in the archive, near the end.
    await cut(argv, 60 + index * 25);
    expect(readdirSync(snapshots)).toHaveLength((await ok("volume", "snapshot", "ls", "-q")).split("\n").length);
    const names = (await target().must("volume", "ls", "-q")).split("\n").sort();
    expect(readdirSync(volumes).sort()).toEqual(names);
    for (const name of names.filter((one) => one.startsWith("cut"))) {
      expect(await sh(name, sums)).toBe(before);
      await target().must("volume", "rm", name);
    }
    const logged = (await target().must("logs", "user")).length;
    await until("the container to go on", async () => (await target().must("logs", "user")).length > logged);
  }
});

own("kill -9 while data is replaced or backed up: it is the old or the new, and the next run tidies up", async () => {
  const sums = "cd /v && cat * | md5sum";
  const write = "rm -f /v/*; for i in 1 2 3 4; do head -c 15000000 /dev/urandom >/v/$i; done";
  await sh("swap", write);
  const first = await sh("swap", sums);
  await ok("volume", "snapshot", "create", "swap", "first-data");
  const directory = join(target().root, "cut-backups");
  mkdirSync(directory);
  await ok(
    "volume",
    "backup",
    "create",
    "-s",
    "@yearly",
    "--keep",
    "1",
    "-d",
    directory,
    "--name",
    "cut-backup",
    "swap",
  );
  await sh("swap", write);
  const second = await sh("swap", sums);
  for (const [index, argv] of [
    ["volume", "restore", "first-data"],
    ["volume", "backup", "run", "cut-backup"],
    ["volume", "restore", "first-data"],
    ["volume", "backup", "run", "cut-backup"],
  ].entries()) {
    await cut(argv, 80 + index * 60);
    expect([first, second]).toContain(await sh("swap", sums));
    expect(readdirSync(join(target().dataRoot, "volumes")).filter((name) => name.startsWith("."))).toEqual([]);
  }
  const backup = await ok("volume", "backup", "run", "cut-backup");
  expect(readdirSync(directory)).toEqual([basename(backup)]);
  await ok("volume", "import", backup, "from-cut");
  expect(await sh("from-cut", sums)).toBe(await sh("swap", sums));
  // As often as one likes in one second.
  const again = [await ok("volume", "backup", "run", "cut-backup"), await ok("volume", "backup", "run", "cut-backup")];
  expect(new Set([backup, ...again]).size).toBe(3);
  expect(readdirSync(directory)).toEqual([basename(again[1] ?? "")]);
  await ok("volume", "backup", "rm", "cut-backup");
});
