import { expect, test } from "bun:test";
import { randomName, validateName } from "./names.ts";

test("a taken name is never returned, however often chance hits it", () => {
  const taken = new Set<string>();
  for (let index = 0; index < 300; index++) taken.add(randomName((name) => !taken.has(name)));
  expect(taken.size).toBe(300);
  let refusals = 50;
  expect(randomName(() => refusals-- <= 0)).toMatch(/^[a-z]+_[a-z]+\d+$/);
});

test("names follow Docker's grammar", () => {
  expect(validateName("/web.1_a-b")).toBe("web.1_a-b");
  for (const bad of ["", "a", "-web", "we b", "a/b", "ü1"])
    expect(() => validateName(bad)).toThrow("Invalid container name");
});
