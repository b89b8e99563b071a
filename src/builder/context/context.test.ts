/** Contexts as they come: archives with ignore files, Dockerfiles under other names, URLs. What dockerd 28.5 does with the same. */
import { afterAll, expect, test } from "bun:test";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { JobWorkers } from "../../archive/processes/job-workers.ts";
import { makeArchive, streamOf } from "../../archive/tar/test-archive.ts";
import { readMountInfo } from "../../linux/mounts/mount.ts";
import { type BuildContext, receiveContext } from "./context.ts";
import { remoteContext } from "./remote-context.ts";

const parent = mkdtempSync(join(tmpdir(), "gantry-context-"));
const { signal } = new AbortController();
const workers = new JobWorkers("__build");
const discard = (directory: string) => rmSync(directory, { recursive: true });
afterAll(async () => {
  await workers[Symbol.asyncDispose]();
  // Each context has taken its directory along.
  expect(readdirSync(parent)).toEqual([]);
  rmSync(parent, { recursive: true });
});

const archive = (files: Record<string, string>) =>
  makeArchive(Object.entries(files).map(([name, content]) => ({ name, content })));

function receive(files: Record<string, string>, dockerfile = "Dockerfile"): Promise<BuildContext> {
  return receiveContext(streamOf(gzipSync(archive(files))), { parent, dockerfile, signal, workers, discard });
}

/** What COPY could bring along. */
const names = ({ directory }: BuildContext) => readdirSync(directory).filter((name) => name !== ".gantry-dockerfile");

test("of an archive, .dockerignore takes away but itself and the Dockerfile: clients have applied it", async () => {
  await using context = await receive({
    Dockerfile: "FROM a",
    ".dockerignore": "b\nDockerfile\n.docker*",
    a: "",
    b: "",
  });
  expect(context.dockerfile()).toBe("FROM a");
  expect(names(context).sort()).toEqual(["a", "b"]);
});

test("the ignore file of a Dockerfile of its own is applied", async () => {
  const files = {
    "x.df": "FROM x",
    "x.df.dockerignore": "b\nsub\n!sub/keep",
    ".dockerignore": "a",
    a: "",
    b: "",
    "sub/no": "",
    "sub/keep": "",
  };
  await using context = await receive(files, "x.df");
  expect(names(context).sort()).toEqual([".dockerignore", "a", "sub", "x.df", "x.df.dockerignore"]);
  expect(readdirSync(join(context.directory, "sub"))).toEqual(["keep"]);
});

test("a Dockerfile in small letters is found, others are refused in Docker's words", async () => {
  await using small = await receive({ dockerfile: "FROM small", ".dockerignore": "dockerfile" });
  expect(small.dockerfile()).toBe("FROM small");
  await using none = await receive({ a: "" });
  expect(() => none.dockerfile()).toThrow("Cannot locate specified Dockerfile: Dockerfile");
  await using outside = await receive({ a: "" }, "../x");
  expect(() => outside.dockerfile()).toThrow("forbidden path outside the build context: ../x ()");
});

test("broken archives are refused, and leave nothing", async () => {
  const bad = (body: Uint8Array) =>
    receiveContext(streamOf(body), { parent, dockerfile: "Dockerfile", signal, workers, discard });
  await expect(bad(Buffer.alloc(600, "x"))).rejects.toThrow("archive/tar: invalid tar header");
  await expect(bad(archive({ a: "xy" }).subarray(0, 513))).rejects.toThrow("unexpected EOF");
});

test("no name and no link in an archive leads out of the context", async () => {
  const entries = [
    { name: "../../up", content: "x" },
    { name: "away", flag: "2", link: parent },
    { name: "away/evil", content: "x" },
  ];
  await using context = await receiveContext(streamOf(makeArchive(entries)), {
    parent,
    dockerfile: "D",
    signal,
    workers,
    discard,
  });
  expect(readdirSync(parent).filter((name) => !/^(context|memory)-/.test(name))).toEqual([]);
  for (const directory of readdirSync(parent)) expect(readdirSync(join(parent, directory))).not.toContain("evil");
  expect(readdirSync(context.directory).sort()).toEqual(["away", parent.split("/")[1] as string, "up"].sort());
});

test("what is at a URL: an archive, or a Dockerfile alone, whatever its type is said to be", async () => {
  const answers: Record<string, [body: Uint8Array | string, type: string, status?: number]> = {
    "/tar": [archive({ Dockerfile: "FROM tar" }), "application/x-tar"],
    "/unknown.tgz": [gzipSync(archive({ Dockerfile: "FROM tgz" })), "application/octet-stream"],
    "/unknown": [archive({ Dockerfile: "FROM plain" }), "application/octet-stream"],
    "/text": ["FROM text", "text/plain; charset=utf-8"],
    "/file": ["FROM unknown", "application/octet-stream"],
    "/page": ["<html>", "text/html"],
    "/empty": ["", "text/plain"],
    "/gone": ["not any more\n", "text/plain", 410],
  };
  const server = Bun.serve({
    port: 0,
    fetch(request) {
      const [body, type, status = 200] = answers[new URL(request.url).pathname] ?? ["", "", 404];
      return new Response(body, { status, headers: { "content-type": type } });
    },
  });
  const fetched = async (path: string) => {
    const url = new URL(path, server.url).href;
    const options = { parent, dockerfile: "Dockerfile", signal, workers, discard, progress: () => {} };
    const { context, dockerfile } = await remoteContext(url, options);
    await using _context = context;
    return dockerfile ?? context.dockerfile();
  };
  try {
    expect(await fetched("/tar")).toBe("FROM tar");
    expect(await fetched("/unknown.tgz")).toBe("FROM tgz");
    expect(await fetched("/text")).toBe("FROM text");
    expect(await fetched("/unknown")).toBe("FROM plain");
    expect(await fetched("/file")).toBe("FROM unknown");
    await expect(fetched("/page")).rejects.toThrow('unsupported Content-Type "text/html"');
    await expect(fetched("/empty")).rejects.toThrow("empty response");
    await expect(fetched("/gone")).rejects.toThrow("/gone with status 410 Gone: not any more");
  } finally {
    await server.stop(true);
  }
});

test("a small context lies in memory; what is too big for it lies on the disk, whole", async () => {
  const inMemory = ({ directory }: BuildContext) => readMountInfo().some(({ mountPoint }) => mountPoint === directory);
  await using small = await receive({ Dockerfile: "FROM a" });
  expect(inMemory(small)).toBe(true);
  const directory = join(parent, "memory-by-hand");
  const spill = { directory: join(parent, "disk"), limit: 10_000 };
  for (const path of [directory, spill.directory]) mkdirSync(path);
  const entries = [
    { name: "a/", mode: 0o710, mtime: 1000 },
    { name: "a/one", content: "1", uid: 5 },
    { name: "a/twice", flag: "1", link: "a/one", uid: 5 },
    { name: "l", flag: "2", link: "a" },
    { name: "l/two", content: "2".repeat(9000) },
    { name: "a/three", content: "3" },
  ];
  const job = { verb: "unpack-context", directory, dockerfile: "Dockerfile", spill };
  expect(await workers.run(job, { input: streamOf(makeArchive(entries)) })).toEqual({ spilled: true });
  expect(readdirSync(join(spill.directory, "a")).sort()).toEqual(["one", "three", "twice", "two"]);
  expect(lstatSync(join(spill.directory, "a/one"))).toMatchObject({ uid: 5, nlink: 2, size: 1 });
  expect(lstatSync(join(spill.directory, "a/two")).size).toBe(9000);
  const top = lstatSync(join(spill.directory, "a"));
  expect([top.mode & 0o777, top.mtimeMs]).toEqual([0o710, 1_000_000]);
  for (const path of [directory, spill.directory]) discard(path);
});
