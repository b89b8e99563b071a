/** What a build may meet: a full disk, contexts that want to get out, very many files. The daemon goes on, and nothing of it is left. */
import { expect, test } from "bun:test";
import { readdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { makeArchive, type TestEntry } from "../src/archive/tar/test-archive.ts";
import { useTarget } from "./lib/journey.ts";
import { until } from "./lib/run.ts";
import { Target } from "./lib/target.ts";

const target = useTarget();
const fileCount = Number(process.env["E2E_FILES"] ?? 20_000);

interface Result {
  error: string | undefined;
  id: string | undefined;
}

async function build(on: Target, entries: TestEntry[], query = ""): Promise<Result> {
  const body = new ReadableStream({ type: "bytes", start: (controller) => sendAll(controller, makeArchive(entries)) });
  const response = await on.api(`/build?rm=1&forcerm=1${query}`, { method: "POST", body });
  const text = await response.text();
  if (!response.ok) return { error: (JSON.parse(text) as { message: string }).message, id: undefined };
  const messages = text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { error?: string; aux?: { ID: string } });
  return {
    error: messages.find(({ error }) => error !== undefined)?.error,
    id: messages.findLast(({ aux }) => aux !== undefined)?.aux?.ID,
  };
}

function sendAll(controller: ReadableByteStreamController, content: Uint8Array): void {
  for (let at = 0; at < content.length; at += 1 << 16)
    controller.enqueue(new Uint8Array(content.subarray(at, at + (1 << 16))));
  controller.close();
}

const dockerfile = (...lines: string[]): TestEntry => ({
  name: "Dockerfile",
  content: `FROM busybox\n${lines.join("\n")}\n`,
});

test("a disk that is full in a step: a clear error, nothing is left, and the next build succeeds", async () => {
  const small = await Target.start({ dataSize: 48 << 20 });
  try {
    const free = () => {
      const { bavail, bsize } = statfsSync(small.dataRoot);
      return bavail * bsize;
    };
    const before = free();
    const run = await build(small, [dockerfile("RUN dd if=/dev/zero of=/big bs=1M count=100")]);
    expect(run.error).toBe(
      "The command '/bin/sh -c dd if=/dev/zero of=/big bs=1M count=100' returned a non-zero code: 1",
    );
    const big = { name: "big", content: "x".repeat(60 << 20) };
    const copy = await build(small, [dockerfile("COPY big /big"), big]);
    expect(copy.error).toMatch(/^failed to copy files: .*no space left on device$/);
    const two = await build(small, [dockerfile("COPY big a /d/", "COPY a /a"), big, { name: "a", content: "a" }]);
    expect(two.error).toMatch(/no space left on device/);
    await until("the space to be free again", async () => free() > before - (1 << 20) || undefined);
    expect(readdirSync(join(small.dataRoot, "layers/.new"))).toEqual([]);
    expect(readdirSync(join(small.dataRoot, "build/work"))).toEqual([]);
    expect(await small.must("ps", "-aq")).toBe("");
    const after = await build(small, [dockerfile("RUN echo fits >/x", "COPY Dockerfile /y")]);
    expect(after.error).toBeUndefined();
    expect(await small.must("run", "--rm", after.id ?? "", "cat", "/x")).toBe("fits");
  } finally {
    await small.stop();
  }
});

test("no name, link or device in a context leads out of it", async () => {
  const outside = join(target().root, "daemon.json");
  const hostile: TestEntry[] = [
    { name: "../../../../up", content: "evil" },
    { name: "/absolute", content: "kept inside" },
    { name: "out", flag: "2", link: target().root },
    { name: "out/evil", content: "evil" },
    { name: "passwd", flag: "2", link: "/etc/shadow" },
    { name: "config", flag: "2", link: outside },
    { name: "loop", flag: "2", link: "loop" },
    { name: "a", content: "a" },
  ];
  const root = readdirSync(target().root).sort();
  const copied = await build(target(), [dockerfile("COPY absolute /x", "COPY out /out"), ...hostile]);
  expect(copied.error).toBeUndefined();
  expect(await target().must("run", "--rm", copied.id ?? "", "cat", "/x")).toBe("kept inside");
  expect(readdirSync(target().root).sort()).toEqual(root);
  const refused = async (line: string) => (await build(target(), [dockerfile(line), ...hostile])).error;
  const missing = "file not found in build context or excluded by .dockerignore";
  expect(await refused("COPY passwd /x")).toContain(missing);
  expect(await refused("COPY config /x")).toContain(missing);
  expect(await refused("RUN --mount=type=bind,source=config,target=/c cat /c")).toContain("not found");
  expect(await refused("COPY loop /x")).toContain("too many levels of symbolic links");
  expect((await build(target(), [{ name: "Dockerfile", flag: "2", link: outside }])).error).toContain("Cannot locate");
  const linked = await build(target(), [dockerfile("COPY l /x"), { name: "l", flag: "1", link: "../../etc/passwd" }]);
  expect(linked.error).toBeDefined();
  expect((await build(target(), [{ name: "Dockerfile", flag: "6" }])).error).toContain("Cannot locate");
});

test("very many files, and names in every encoding; the API answers meanwhile", async () => {
  const raw = [..."\x01\t\n\"'\\*?[]#$ \x7f\x80\xff"].map((character) => ({
    name: `odd/n${character}`,
    content: character,
  }));
  const many = Array.from({ length: fileCount }, (_, index) => ({
    name: `many/${index % 100}/${index}`,
    content: String(index),
  }));
  const building = build(target(), [dockerfile("COPY many /many", "COPY odd /odd"), ...raw, ...many]);
  let slowest = 0;
  let done = false;
  const watching = (async () => {
    while (!done) {
      const start = performance.now();
      await target().api("/_ping");
      slowest = Math.max(slowest, performance.now() - start);
      await Bun.sleep(20);
    }
  })();
  const { error, id = "" } = await building;
  done = true;
  await watching;
  expect(error).toBeUndefined();
  expect(slowest).toBeLessThan(1000);
  const script = `find /many -type f | wc -l; cat /many/99/${fileCount - 1}; echo; ls /odd | wc -l; cat /odd/* | wc -c`;
  expect(await target().must("run", "--rm", id, "sh", "-c", script)).toBe(
    `${fileCount}\n${fileCount - 1}\n${raw.length}\n${raw.length}`,
  );
});
