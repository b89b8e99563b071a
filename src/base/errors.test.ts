import { expect, test } from "bun:test";
import { openSync } from "node:fs";
import { errorMessage, invalidArgument } from "./errors.ts";

function caught(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

test("messages: our own as they are, system errors in Go's order", () => {
  expect(errorMessage(invalidArgument("E: no, sir"))).toBe("E: no, sir");
  expect(errorMessage("text")).toBe("text");
  expect(errorMessage(caught(() => openSync("/no/such", "r")))).toBe("open /no/such: no such file or directory");
  expect(errorMessage(new Error("ENOSPC: no space left on device, write"))).toBe("write: no space left on device");
});
