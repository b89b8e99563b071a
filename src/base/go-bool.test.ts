import { expect, test } from "bun:test";
import { parseGoBool } from "./go-bool.ts";

test("what Go reads as a boolean, and nothing else", () => {
  for (const text of ["1", "t", "T", "TRUE", "true", "True"]) expect(parseGoBool(text)).toBe(true);
  for (const text of ["0", "f", "F", "FALSE", "false", "False"]) expect(parseGoBool(text)).toBe(false);
  for (const text of ["", "yes", "tRUE", "2", " true"]) expect(parseGoBool(text)).toBeUndefined();
});
