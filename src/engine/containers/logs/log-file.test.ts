import { afterAll, beforeAll, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { collectText } from "../../../base/streams.ts";
import { type LogQuery, readLogs } from "./logs.ts";

const entry = (log: string, stream = "stdout", time = "2026-01-01T00:00:00.000000001Z") =>
  `${JSON.stringify({ log, stream, time })}\n`;

let directory: string;
let path: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "gantry-logs-"));
  path = join(directory, "c-json.log");
  writeFileSync(`${path}.2.gz`, gzipSync(entry("one\n") + entry("two\n")));
  writeFileSync(`${path}.1`, entry("three\n"));
  writeFileSync(path, entry("four\n", "stderr") + entry("five\n", "stdout", "2026-01-02T00:00:00Z"));
});
afterAll(() => rmSync(directory, { recursive: true }));

function read(query: Partial<LogQuery> = {}): Promise<string> {
  const signal = new AbortController().signal;
  const all = { stdout: true, stderr: true, timestamps: false, details: false, multiplexed: false, signal };
  return collectText(readLogs(path, { ...all, ...query }));
}

test("rotated files come first, oldest first, compressed or not", async () => {
  expect(await read()).toBe("one\ntwo\nthree\nfour\nfive\n");
});

test("tail counts lines over all files", async () => {
  const all = ["one\n", "two\n", "three\n", "four\n", "five\n"];
  for (let tail = 0; tail <= 6; tail++) expect(await read({ tail })).toBe(tail === 0 ? "" : all.slice(-tail).join(""));
});

test("streams and times select, timestamps prefix", async () => {
  expect(await read({ stderr: false, tail: 2 })).toBe("five\n");
  expect(await read({ since: 1_767_312_000_000_000_000n })).toBe("five\n");
  expect(await read({ until: 1_767_300_000_000_000_000n, tail: 2 })).toBe("four\n");
  expect(await read({ tail: 1, timestamps: true })).toBe("2026-01-02T00:00:00Z five\n");
});

test("frames carry the stream's number and the payload's length", async () => {
  const frames = Buffer.from(await read({ multiplexed: true, tail: 2 }));
  expect([...frames.subarray(0, 8)]).toEqual([2, 0, 0, 0, 0, 0, 0, 5]);
  expect(frames.subarray(8, 13).toString()).toBe("four\n");
  expect(frames[13]).toBe(1);
});

test("an end stops at its offset, also when its file has been rotated since", async () => {
  const log = join(directory, "end-json.log");
  writeFileSync(log, entry("a\n"));
  const end = { inode: statSync(log).ino, offset: statSync(log).size };
  appendFileSync(log, entry("b\n"));
  const signal = new AbortController().signal;
  const query = { stdout: true, stderr: true, timestamps: false, details: false, multiplexed: false, signal, end };
  expect(await collectText(readLogs(log, query))).toBe("a\n");
  renameSync(log, `${log}.1`);
  writeFileSync(log, entry("c\n"));
  expect(await collectText(readLogs(log, query))).toBe("a\n");
});

test("following sees what is appended and what comes after a rotation, to the container's end", async () => {
  const log = join(directory, "follow-json.log");
  writeFileSync(log, entry("a\n"));
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const signal = new AbortController().signal;
  const query = {
    stdout: true,
    stderr: true,
    timestamps: false,
    details: false,
    multiplexed: false,
    signal,
    followUntil: ended,
  };
  const text = collectText(readLogs(log, query));
  await Bun.sleep(20);
  appendFileSync(log, entry("b\n"));
  await Bun.sleep(20);
  appendFileSync(log, entry("c\n"));
  renameSync(log, `${log}.1`);
  writeFileSync(log, entry("d\n"));
  await Bun.sleep(20);
  appendFileSync(log, entry("e\n"));
  end();
  expect(await text).toBe("a\nb\nc\nd\ne\n");
});
