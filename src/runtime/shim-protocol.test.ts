import { expect, test } from "bun:test";
import {
  encodeStart,
  parseExitRecord,
  parseLogPosition,
  parseReport,
  parseStartError,
  type ShimStart,
} from "./shim-protocol.ts";

const start: ShimStart = {
  directory: "/run/s",
  runtimeArgv: ["crun", "--root", "/r", "run", "--bundle", "/b", "id"],
  terminal: true,
  rows: 24,
  cols: 80,
  stdin: "once",
  waitAttach: 1,
  log: { path: "/l", maxSize: 10, maxFile: 3, compress: true, attrs: { a: "b" } },
  cwd: "/",
  env: { PATH: "/bin" },
};

const fields = (bytes: Uint8Array): string[] => new TextDecoder().decode(bytes).split("\0");

test("a start message carries everything, with the options the shim needs where the runtime takes them", () => {
  const message = fields(encodeStart(start));
  expect(message[0]).toBe("gantry-shim=1");
  expect(message.slice(-2)).toEqual(["end=1", ""]);
  expect(message.filter((field) => field.startsWith("arg=")).map((field) => field.slice(4))).toEqual([
    ...["crun", "--log", "/run/s/runtime.log", "--log-format", "json", "--root", "/r", "run", "--detach"],
    ...["--pid-file", "/run/s/pid", "--console-socket", "/run/s/console.sock", "--bundle", "/b", "id"],
  ]);
  for (const field of ["rows=24", 'log-attrs={"a":"b"}', "log-compress=1", "env=PATH=/bin", "wait-attach=1"]) {
    expect(message).toContain(field);
  }
});

test("what a start message cannot carry is refused", () => {
  expect(() => encodeStart({ ...start, env: { A: "b\0arg=c" } })).toThrow("NUL byte");
  expect(() => encodeStart({ ...start, runtimeArgv: ["crun", "list"] })).toThrow("no run, exec or restore");
  expect(() => encodeStart({ ...start, directory: `/${"d".repeat(100)}` })).toThrow("path too long");
});

test("reports", () => {
  expect(parseReport("ready")).toEqual({ kind: "ready" });
  expect(parseReport("pid 42")).toEqual({ kind: "pid", pid: 42 });
  expect(parseReport("exit 137 9 1 5")).toEqual({
    kind: "exit",
    record: { exitCode: 137, signal: 9, oomKilled: true, finishedAt: 5n },
  });
  expect(() => parseReport("hello")).toThrow("unknown report");
  expect(() => parseExitRecord("1 2 3")).toThrow("malformed");
  expect(parseLogPosition("ok 1 2 3")).toEqual({ generation: 1, inode: 2, offset: 3 });
});

test("the runtime's last error is taken from its log, or its words as they are", () => {
  const log =
    '{"level":"error","msg":"first"}\\n{"level":"error","msg":"say \\\\"x\\\\""}\\n{"level":"debug","msg":"no"}\\n';
  expect(parseStartError(`1 ${log}`)).toEqual({ exitCode: 1, message: 'say "x"' });
  expect(parseStartError("42 plain\\nwords \\\\ \n")).toEqual({ exitCode: 42, message: "plain\nwords \\" });
});
