import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BuildHistoryRequest } from "../../buildkit-api/protocol/messages.ts";
import { Database } from "../../metadata/database.ts";
import { Progress } from "../progress.ts";
import { BuildHistory } from "./history.ts";
import { endedBuild, newRecord } from "./record.ts";

let directory: string;
let database: Database;
let history: BuildHistory;
let warnings: string[];
const log = { warn: (text: string) => void warnings.push(text) };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "gantry-history-"));
  warnings = [];
  database = new Database(":memory:");
  history = new BuildHistory({ database, directory, log });
  history.reconcile();
});

afterEach(() => {
  database.close();
  rmSync(directory, { recursive: true });
});

function build(Ref: string, error?: Error) {
  const progress = new Progress();
  const record = newRecord({ Ref, Frontend: "dockerfile.v0", FrontendAttrs: { target: "x" } } as never, []);
  history.start(record);
  progress.vertex("one").complete({ cached: true });
  progress.vertex("two").complete(error ? { error: error.message } : {});
  history.end(endedBuild(record, { progress, error }));
}

const request = (more: Partial<BuildHistoryRequest> = {}) =>
  ({ ActiveOnly: false, Ref: "", EarlyExit: true, Filter: [], Limit: 0, ...more }) as BuildHistoryRequest;
const never = new AbortController().signal;
const listed = async (more?: Partial<BuildHistoryRequest>) =>
  (await Array.fromAsync(history.listen(request(more), never))).map(({ record }) => record);

test("an ended build is known with its counts and its log, also by the next daemon", async () => {
  build("a", new Error("broken"));
  build("b");
  history = new BuildHistory({ database, directory, log });
  history.reconcile();
  expect(await listed()).toMatchObject([
    { Ref: "a", numTotalSteps: 2, numCachedSteps: 1, numCompletedSteps: 1, error: { message: "broken" } },
    { Ref: "b", numCompletedSteps: 2, error: null, FrontendAttrs: { target: "x" } },
  ]);
  expect((await listed({ Limit: 1 })).map(({ Ref }) => Ref)).toEqual(["b"]);
  expect(history.log("b")?.flatMap(({ vertexes = [] }) => vertexes.map(({ name }) => name))).toEqual(["one", "two"]);
});

test("what is removed is gone with its log; fifty stay, and those that are pinned", async () => {
  build("first");
  history.pin("first", true);
  build("second");
  for (let count = 0; count < 50; count++) build(`${count}`);
  const refs = (await listed()).map(({ Ref }) => Ref);
  expect(refs).toContain("first");
  expect(refs).not.toContain("second");
  history.remove("first");
  expect(history.log("first")).toBeUndefined();
  expect(() => history.remove("first")).toThrow("no build first");
  expect(readdirSync(directory).length).toBe((await listed()).length);
});

test("start-up removes what a killed daemon left half done", async () => {
  build("a");
  build("b");
  writeFileSync(join(directory, "stray"), "");
  const [log] = readdirSync(directory).filter((name) => name !== "stray");
  rmSync(join(directory, log as string));
  history.reconcile();
  expect(await listed()).toHaveLength(1);
  expect(readdirSync(directory)).toHaveLength(1);
});

test("who listens on hears of beginnings and ends", async () => {
  const gone = new AbortController();
  const events = history.listen(request({ EarlyExit: false }), gone.signal);
  const first = events.next();
  await Promise.resolve();
  build("a");
  expect((await first).value).toMatchObject({ type: 0, record: { Ref: "a" } });
  expect((await events.next()).value).toMatchObject({ type: 1, record: { Ref: "a" } });
  gone.abort();
  expect((await events.next()).done).toBe(true);
});

test("a disk that takes nothing more is no failure of the build", () => {
  rmSync(directory, { recursive: true });
  writeFileSync(directory, "in the way");
  build("a");
  expect(warnings).toEqual(["a build cannot be kept in the history"]);
  rmSync(directory);
  mkdirSync(directory);
  expect(history.log("a")).toBeUndefined();
});
