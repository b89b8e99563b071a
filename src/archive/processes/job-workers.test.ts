import { afterAll, expect, test } from "bun:test";
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeArchive } from "../tar/test-archive.ts";
import { JobWorkers } from "./job-workers.ts";

const folder = mkdtempSync(join(tmpdir(), "gantry-jobs-"));
const workers = new JobWorkers("__build");
afterAll(async () => {
  await workers[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

let count = 0;

/** A job that unpacks its stream into a directory of its own. */
function unpacking(): { job: object; directory: string } {
  const directory = join(folder, `tree-${count++}`);
  const spill = { directory: `${directory}-spill`, limit: 1 << 20 };
  for (const path of [directory, spill.directory]) mkdirSync(path);
  return { job: { verb: "unpack-context", directory, dockerfile: "Dockerfile", spill }, directory };
}

test("an archive ends where its stream ends, with its last blocks, with one of them, or amid its padding", async () => {
  const whole = makeArchive([{ name: "file", content: "x" }]);
  const lengths = [whole.length, 512 + 512 + 512, 512 + 512, 512 + 1];
  for (const length of lengths) {
    const { job, directory } = unpacking();
    const input = (async function* () {
      yield whole.subarray(0, length);
    })();
    // Twice on the same process: what ended too early would take the next job for a part of the stream.
    await workers.run(job, { input });
    expect(readdirSync(directory)).toContain("file");
  }
});

test("what still comes for a job that has failed is written nowhere", async () => {
  const { job } = unpacking();
  const more = Promise.withResolvers<void>();
  const input = (async function* () {
    yield Buffer.alloc(2048, "no archive");
    await more.promise;
    yield Buffer.from("this belongs to nobody");
  })();
  await expect(workers.run(job, { input })).rejects.toThrow();
  // The numbers that are free now, the one of the process's pipe among them.
  const paths = Array.from({ length: 20 }, (_, index) => join(folder, `bystander-${index}`));
  const descriptors = paths.map((path) => openSync(path, "w+"));
  more.resolve();
  await Bun.sleep(100);
  for (const descriptor of descriptors) closeSync(descriptor);
  expect(paths.map((path) => readFileSync(path, "utf8")).join("")).toBe("");
});
