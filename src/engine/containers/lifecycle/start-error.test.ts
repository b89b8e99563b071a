import { expect, test } from "bun:test";
import { translateStartError } from "./start-error.ts";

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

test("anything else is shown as it is", () => {
  const error = translateStartError("mount `x` to `y`: No such device\n", "sh");
  expect([error.exitCode, error.kind]).toEqual([128, "internal"]);
  expect(error.message).toContain("mount `x` to `y`: No such device");
});
