import { expect, test } from "bun:test";
import { parseDetachKeys } from "./detach-keys.ts";

test("control keys, plain keys and mixtures become bytes", () => {
  expect([...parseDetachKeys("ctrl-p,ctrl-q")]).toEqual([16, 17]);
  expect([...parseDetachKeys("a,ctrl-[,Z")]).toEqual([97, 27, 90]);
  expect([...parseDetachKeys("ctrl-@,ctrl-\\,ctrl-],ctrl-^,ctrl-_")]).toEqual([0, 28, 29, 30, 31]);
  expect(parseDetachKeys("")).toHaveLength(0);
});

test("what is no key is named", () => {
  for (const bad of ["ctrl-1", "alt-x", "ctrl-", "ab"])
    expect(() => parseDetachKeys(`a,${bad}`)).toThrow(`Invalid escape keys (${bad}) provided`);
});
