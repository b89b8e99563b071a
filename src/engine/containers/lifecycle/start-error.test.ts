import { expect, test } from "bun:test";
import { translateExecError, translateStartError } from "./start-error.ts";

test("a missing command is the user's mistake and exits 127", () => {
  const error = translateStartError("executable file `foo` not found in $PATH: No such file or directory", "foo");
  expect(error.exitCode).toBe(127);
  expect(error.kind).toBe("invalid-argument");
  expect(error.message).toEndWith('exec: "foo": executable file not found in $PATH');
});

test("a file without the executable bit exits 126", () => {
  const error = translateStartError("open executable: Permission denied", "/etc/passwd");
  expect(error.exitCode).toBe(126);
  expect(error.message).toContain('exec: "/etc/passwd": permission denied');
});

test("a working directory that is not there is told as runc does", () => {
  const missing = translateExecError("chdir `/nothere`: No such file or directory", "pwd");
  expect(missing.message).toEndWith('chdir to cwd ("/nothere") set in config.json failed: no such file or directory');
  expect(missing.exitCode).toBe(127);
  expect(translateExecError("chdir `relative`: No such file or directory", "pwd").exitCode).toBe(128);
});

test("anything else is shown as it is", () => {
  const error = translateStartError("mount `x` to `y`: No such device\n", "sh");
  expect([error.exitCode, error.kind]).toEqual([128, "internal"]);
  expect(error.message).toContain("mount `x` to `y`: No such device");
});
