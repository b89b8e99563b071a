/** `gantry build`: the client of BuildKit's API that comes with the daemon. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { useTarget } from "./lib/journey.ts";
import { PtySession } from "./lib/pty.ts";
import { type Outcome, type RunOptions, run } from "./lib/run.ts";
import { gantryCommand, targetKind } from "./lib/settings.ts";

const target = useTarget();
const onGantry = test.if(targetKind === "gantry");

const work = () => join(target().root, "work");

function gantry(args: string[], options: RunOptions = {}): Promise<Outcome> {
  const env = { ...target().cliEnvironment, ...options.env };
  return run([...gantryCommand(), ...args], { ...options, env, cwd: work() });
}

async function write(files: Record<string, string>): Promise<void> {
  mkdirSync(work(), { recursive: true });
  for (const [path, text] of Object.entries(files)) await Bun.write(join(work(), path), text);
}

const secretDockerfile = `FROM busybox AS base
RUN echo "from the step"
FROM base AS Last
COPY file /d/
RUN --mount=type=secret,id=s cp /run/secrets/s /seen
`;

onGantry("progress as lines, as JSON, not at all, and on a terminal", async () => {
  await write({
    "p/Dockerfile": secretDockerfile,
    "p/file": "x",
    "p/.dockerignore": "big",
    "p/big": "x",
    secret: "hidden",
  });
  const args = ["build", "--no-cache", "--secret", "id=s,src=secret", "p"];
  const plain = await gantry([...args, "-t", "p:1", "--progress=plain"]);
  expect(plain.code).toBe(0);
  expect(plain.stdout).toBe("");
  expect(plain.stderr).toMatch(/^#\d+ \[base 2\/2\] RUN echo "from the step"$/m);
  expect(plain.stderr).toMatch(/^#\d+ 0\.\d{3} from the step$/m);
  expect(plain.stderr).toMatch(/^#\d+ DONE \d+\.\ds$/m);
  expect(plain.stderr).toContain("\n 1 warning found:\n - StageNameCasing: ");
  expect((await gantry(["run", "--rm", "p:1", "sh", "-c", "cat /seen; ls /d"])).stdout).toBe("hiddenfile\n");

  const json = await gantry([...args, "--progress=rawjson"]);
  const messages = json.stderr.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
  const logs = messages.flatMap(({ logs = [] }) => logs.map(({ data }: { data: string }) => atob(data)));
  expect(logs.join("")).toContain("from the step\n");
  const names = messages.flatMap(({ vertexes = [] }) => vertexes.map(({ name }: { name: string }) => name));
  expect(names).toContain("[last 2/2] RUN --mount=type=secret,id=s cp /run/secrets/s /seen");

  const quiet = await gantry([...args, "-q"]);
  expect(quiet.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  expect(quiet.stderr).toBe("");

  const env = { ...target().cliEnvironment, TERM: "xterm" };
  const argv = [...gantryCommand(), "build", "--no-cache", "--secret", `id=s,src=${work()}/secret`, join(work(), "p")];
  const terminal = new PtySession(argv, env, { cols: 100, rows: 30 });
  await terminal.expect(/=> \[base 2\/2\] RUN echo/);
  await terminal.expect(/Building \d+\.\ds \((\d+)\/\1\) FINISHED/);
  expect(await terminal.exit()).toBe(0);
  expect((await gantry(["build", "--progress=tty", "p"])).stderr).toContain("failed to get console");
});

onGantry("a step that fails: its output, the line, the exit code", async () => {
  await write({ "bad/Dockerfile": "FROM busybox\nRUN echo out; exit 3\n" });
  const { code, stderr } = await gantry(["build", "--progress=plain", "bad"]);
  expect(code).toBe(1);
  expect(stderr.slice(stderr.indexOf("------"))).toMatch(
    /^------\n > \[2\/2\] RUN echo out; exit 3:\n0\.\d{3} out\n------\nDockerfile:2\n-+\n {3}1 \| {5}FROM busybox\n {3}2 \| >>> RUN echo out; exit 3\n {3}3 \| {5}\n-+\nERROR: failed to build: failed to solve: process "\/bin\/sh -c echo out; exit 3" did not complete successfully: exit code: 3\n$/,
  );
});

onGantry("a secret that is named as a source", async () => {
  const run = "RUN --mount=type=secret,source=s,required=true cp /run/secrets/s /seen";
  await write({ "source/Dockerfile": `FROM busybox\n${run}\n`, secret: "hidden" });
  const built = await gantry(["build", "-q", "--secret", "id=s,src=secret", "-t", "source", "source"]);
  expect([built.stderr, built.code]).toEqual(["", 0]);
  expect((await gantry(["run", "--rm", "source", "cat", "/seen"])).stdout).toBe("hidden");
});

onGantry("outputs, and contexts of every kind", async () => {
  await write({ "o/Dockerfile": "FROM scratch\nCOPY a /a\nCOPY --from=named /n /n\n", "o/a": "a", "n/n": "n" });
  const named = ["--build-context", "named=n"];
  expect((await gantry(["build", ...named, "-o", "out", "o"])).code).toBe(0);
  expect(readFileSync(join(work(), "out/n"), "utf8")).toBe("n");
  const tar = await gantry(["build", ...named, "-o", "-", "o"]);
  expect(tar.code).toBe(0);
  expect(tar.stdout).toContain("ustar");
  const oci = await gantry(["build", ...named, "-t", "o:1", "-o", "type=oci,dest=o.tar", "o"]);
  expect(oci.code).toBe(0);
  expect((await gantry(["load", "-i", "o.tar"])).stdout).toBe("Loaded image: o:1\n");
  const build = ["build", ...named, "-t", "o:2", "--iidfile", "iid", "--metadata-file", "md", "o"];
  expect((await gantry(build)).code).toBe(0);
  const id = (await gantry(["inspect", "-f", "{{.Id}}", "o:2"])).stdout.trim();
  expect(readFileSync(join(work(), "iid"), "utf8")).toBe(id);
  expect(JSON.parse(readFileSync(join(work(), "md"), "utf8"))["containerimage.config.digest"]).toBe(id);

  const archive = await run(["sh", "-c", "tar -C o -czf o.tgz ."], { cwd: work() });
  expect(archive.code).toBe(0);
  const piped = await gantry(["build", ...named, "-q", "-"], { input: readFileSync(join(work(), "o.tgz")) });
  expect(piped.stdout.trim()).toBe(id);
  const dockerfile = await gantry(["build", ...named, "-q", "-f", "-", "o"], {
    input: readFileSync(join(work(), "o/Dockerfile")),
  });
  expect(dockerfile.stdout.trim()).toBe(id);
});

onGantry("OCI layouts: as caches, as outputs, as contexts", async () => {
  await write({ "l/Dockerfile": "FROM busybox\nRUN date +%N > /made\n" });
  const build = (...args: string[]) => gantry(["build", "--progress=plain", ...args, "l"]);
  const made = async (name: string) => (await gantry(["run", "--rm", name, "cat", "/made"])).stdout;
  expect((await build("-t", "laid:1", "--cache-to", "type=local,dest=lcache,mode=max")).code).toBe(0);
  const before = await made("laid:1");
  const layout = ["-o", "type=oci,dest=layout,tar=false", "--iidfile", "lid", "--metadata-file", "lmd"];
  expect((await build("-t", "laid:1", ...layout)).code).toBe(0);
  const blob = async (digest: string) =>
    JSON.parse(await Bun.file(join(work(), "layout/blobs", digest.replace(":", "/"))).text());
  const { "containerimage.digest": manifest } = JSON.parse(await Bun.file(join(work(), "lmd")).text());
  // The image's id is that of its config, as in other outputs.
  expect((await blob(manifest)).config.digest).toBe(await Bun.file(join(work(), "lid")).text());
  const attested = await build("-o", "type=oci,dest=said,tar=false", "--provenance", "mode=min");
  expect([attested.stderr, attested.code]).toEqual([attested.stderr, 0]);
  const said = await run(["sh", "-c", "grep -l slsa.dev/provenance said/blobs/sha256/* | wc -l"], { cwd: work() });
  // The statement, and the manifest that tells of what kind it is.
  expect(said.stdout.trim()).toBe("2");
  expect((await gantry(["rmi", "laid:1"])).code).toBe(0);
  await gantry(["builder", "prune", "-af"]);
  const again = await build("-t", "laid:2", "--cache-from", "type=local,src=lcache");
  expect(again.stderr).toContain("CACHED");
  expect(await made("laid:2")).toBe(before);
  expect((await build("--cache-from", "type=local,src=nothing")).code).toBe(0);
  await write({ "l/Dockerfile": "FROM base\nRUN true\n" });
  const upon = await build("-t", "laid:3", "--build-context", "base=oci-layout://layout:1");
  expect(upon.stderr).toContain("[context base] OCI load from client");
  expect(await made("laid:3")).toBe(before);
  const missing = await build("--build-context", "base=oci-layout://layout:none");
  expect(missing.stderr).toContain("no image none is in it");
});

onGantry("an SSH agent's socket is there for the step that asks for it", async () => {
  const socket = join(target().root, "agent");
  const agent = createServer((connection) => connection.end()).listen(socket);
  try {
    await write({ "ssh/Dockerfile": "FROM busybox\nRUN --mount=type=ssh test -S $SSH_AUTH_SOCK\n" });
    expect((await gantry(["build", "--ssh", `default=${socket}`, "ssh"])).code).toBe(0);
    const without = await gantry(["build", "--ssh", "default", "ssh"], { env: { SSH_AUTH_SOCK: "" } });
    expect(without.stderr).toContain("make sure SSH_AUTH_SOCK is set");
  } finally {
    agent.close();
  }
});

onGantry("the classic builder: by wish, and for what only it does", async () => {
  await write({ "c/Dockerfile": "FROM busybox\nRUN cat /sys/fs/cgroup/memory/memory.limit_in_bytes || true\n" });
  expect((await gantry(["build", "c"], { env: { DOCKER_BUILDKIT: "0" } })).stdout).toContain("Successfully built");
  expect((await gantry(["build", "--memory", "64m", "--no-cache", "c"])).stdout).toContain("Successfully built");
  const both = await gantry(["build", "--memory", "64m", "-o", "never", "c"]);
  expect(both.code).toBe(1);
  expect(both.stderr).toContain("--output needs BuildKit, and --memory is not BuildKit's");
  expect(existsSync(join(work(), "never"))).toBe(false);
});

onGantry("nothing of the directory that it is called in is loaded", async () => {
  await write({
    ".env": "DOCKER_HOST=tcp://192.0.2.1:1\n",
    "bunfig.toml": 'preload = ["./preload.ts"]\n',
    "preload.ts": 'console.log("preloaded");\n',
    "tsconfig.json": "{ not JSON",
    "package.json": "{ not JSON",
  });
  expect(await gantry(["ps", "-q"])).toMatchObject({ stdout: "", stderr: "", code: 0 });
  const { DOCKER_HOST, ...rest } = target().cliEnvironment;
  const context = await run([...gantryCommand(), "context", "inspect", "-f", "{{.Endpoints.docker.Host}}", "default"], {
    env: rest,
    cwd: work(),
  });
  expect(DOCKER_HOST).toBeDefined();
  expect(context.stdout).toBe("unix:///run/gantry.sock\n");
});
