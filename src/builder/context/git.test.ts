/** Repositories as contexts, over Git's own HTTP server. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JobWorkers } from "../../archive/processes/job-workers.ts";
import { checkOut, type GitSource, parseGitUrl } from "./git.ts";
import { remoteContext } from "./remote-context.ts";

setDefaultTimeout(60_000);
const folder = mkdtempSync(join(tmpdir(), "gantry-git-"));
const parent = join(folder, "contexts");
const { signal } = new AbortController();
const workers = new JobWorkers("__build");
const discard = (directory: string) => rmSync(directory, { recursive: true });
let server: Bun.Server<undefined>;

function git(...args: string[]): void {
  const identity = ["-c", "user.name=n", "-c", "user.email=e", "-c", "init.defaultBranch=main"];
  const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };
  const { exitCode, stderr } = Bun.spawnSync(["git", ...identity, ...args], { cwd: join(folder, "r.git"), env });
  if (exitCode !== 0) throw new Error(stderr.toString());
}

beforeAll(() => {
  const work = join(folder, "r.git");
  mkdirSync(join(work, "sub"), { recursive: true });
  mkdirSync(parent);
  git("init", "-q");
  writeFileSync(join(work, "Dockerfile"), "FROM old");
  git("add", ".");
  git("commit", "-qm", "1");
  git("tag", "v1");
  writeFileSync(join(work, "Dockerfile"), "FROM new");
  writeFileSync(join(work, ".dockerignore"), "Dockerfile\nno");
  writeFileSync(join(work, "no"), "");
  writeFileSync(join(work, "sub/Dockerfile"), "FROM sub");
  symlinkSync("/etc", join(work, "out"));
  git("add", ".");
  git("commit", "-qm", "2");
  // The files alone, as a server that knows nothing of Git gives them: the clone cannot be shallow.
  git("update-server-info");
  server = Bun.serve({
    port: 0,
    fetch: (request) =>
      new Response(Bun.file(join(folder, new URL(request.url).pathname.replace(/^\/r\.git/, "r.git/.git")))),
    error: () => new Response("", { status: 404 }),
  });
});
afterAll(async () => {
  await workers[Symbol.asyncDispose]();
  await server.stop(true);
  rmSync(folder, { recursive: true });
});

async function look(fragment: string): Promise<{ dockerfile: string; files: string[] }> {
  const url = new URL(`/r.git${fragment}`, server.url).href;
  const { context } = await remoteContext(url, {
    parent,
    dockerfile: "Dockerfile",
    signal,
    workers,
    discard,
    progress: () => {},
  });
  await using _context = context;
  return {
    dockerfile: context.dockerfile(),
    files: readdirSync(context.directory)
      .filter((name) => !name.startsWith("."))
      .sort(),
  };
}

test("a branch, a tag, a subdirectory; what .dockerignore leaves out is gone, but the Dockerfile is read", async () => {
  expect(await look("")).toEqual({ dockerfile: "FROM new", files: ["out", "sub"] });
  expect(await look("#v1")).toEqual({ dockerfile: "FROM old", files: ["Dockerfile"] });
  expect(await look("#main:sub")).toEqual({ dockerfile: "FROM sub", files: ["Dockerfile"] });
  expect(readdirSync(parent)).toEqual([]);
});

test("the same by a query, and what the commit must be", async () => {
  expect(await look("?branch=main&subdir=sub")).toEqual({ dockerfile: "FROM sub", files: ["Dockerfile"] });
  expect((await look("?tag=v1")).dockerfile).toBe("FROM old");
  expect((await look("?ref=v1#v1")).dockerfile).toBe("FROM old");
  const { stdout } = Bun.spawnSync(["git", "rev-parse", "v1"], { cwd: join(folder, "r.git") });
  const commit = stdout.toString().trim();
  expect((await look(`?tag=v1&commit=${commit.slice(0, 8)}`)).dockerfile).toBe("FROM old");
  for (const [query, message] of [
    [`?branch=main&checksum=${commit}`, `expected checksum to match ${commit}, got`],
    ["?checksum=main", "invalid checksum main for Git URL, expected hex commit hash"],
    ["?tag=v1&branch=main", "conflict"],
    ["?tag=v1#main", 'ref conflicts: "main" vs "refs/tags/v1"'],
    ["?ref=", 'query "ref" has no value'],
    ["?ref=a&ref=b", 'query "ref" has multiple values'],
    ["?colour=red", 'unexpected query "colour"'],
    ["?submodules=maybe", 'invalid submodules value: "maybe"'],
    ["?ref=--upload-pack=x", "invalid refspec: --upload-pack=x"],
  ] as const) {
    await expect(look(query)).rejects.toThrow(message);
  }
  expect(readdirSync(parent)).toEqual([]);
});

test("the directory .git is kept where the address asks for it", async () => {
  const options = { parent, signal, discard, keepGitDirectory: false };
  const source = parseGitUrl(new URL("/r.git?keep-git-dir=1", server.url).href);
  await using checkout = await checkOut(source as GitSource, options);
  expect(readdirSync(checkout.directory)).toContain(".git");
});

test("refused: what is not there, and ways out", async () => {
  await expect(look("#nothere")).rejects.toThrow("couldn't find remote ref nothere");
  await expect(look("#:nothere")).rejects.toThrow("error setting git context, nothere: no such file or directory");
  await expect(look("#:out")).rejects.toThrow("error setting git context, out: no such file or directory");
  await expect(look("#v1:Dockerfile")).rejects.toThrow("error setting git context, not a directory: Dockerfile");
  await expect(look("#--upload-pack=x")).rejects.toThrow("invalid refspec: --upload-pack=x");
  expect(readdirSync(parent)).toEqual([]);
});
