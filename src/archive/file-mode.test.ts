/** What BuildKit of Docker 28.5 makes of files with mode 640, 4755 and a directory with mode 700. */
import { expect, test } from "bun:test";
import { parseMode } from "./file-mode.ts";

test.each<[string, number, number]>([
  ["755", 0o640, 0o755],
  ["00755", 0o640, 0o755],
  ["4711", 0o640, 0o4711],
  ["+w", 0o640, 0o662],
  ["+x", 0o640, 0o751],
  ["=rw", 0o640, 0o666],
  ["g=u", 0o640, 0o660],
  ["u=rwxs,o-rwx", 0o640, 0o4740],
  ["o+s", 0o640, 0o640],
  ["g+s,o+t", 0o644, 0o2644],
  ["a=r,u+w", 0o640, 0o644],
  ["u+rw-x", 0o4755, 0o4655],
  ["a-w", 0o4755, 0o4555],
  ["u=rwxs,=", 0o640, 0],
  ["u=X,g=wX", 0o644, 0o024],
  ["u=rwX,go=rX", 0o640, 0o644],
  ["+t", 0o644, 0o1644],
])("%s of a file", (text, before, after) => expect(parseMode(text)(before, false)).toBe(after));

test.each<[string, number]>([
  ["u=X,g=wX", 0o130],
  ["u=rwX,go=rX", 0o755],
  ["7777", 0o7777],
])("%s of a directory", (text, after) => expect(parseMode(text)(0o700, true)).toBe(after));

test("refused", () => {
  for (const bad of ["99", "755,", "0o755", "77777"])
    expect(() => parseMode(bad)).toThrow(`parameter: '${bad}'. it sh`);
  for (const bad of ["zz", "u", "u+z", "-1", "", "u+r,", "u=rg"])
    expect(() => parseMode(bad)).toThrow("invalid syntax");
});
