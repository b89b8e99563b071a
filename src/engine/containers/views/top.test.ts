import { expect, test } from "bun:test";
import { filterPs, topOf } from "./top.ts";

test("only the container's processes are shown, with the command's spaces kept", () => {
  const output =
    "UID PID PPID C STIME TTY TIME CMD\nroot 1 0 0 10:00 ? 00:00:00 init\nroot 42 1 0 10:00 ? 00:00:00 sh -c sleep 1\n";
  expect(filterPs(output, new Set([42]))).toEqual({
    Titles: ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
    Processes: [["root", "42", "1", "0", "10:00", "?", "00:00:00", "sh -c sleep 1"]],
  });
});

test("without a PID column there is nothing to filter by", async () => {
  expect(() => filterPs("CMD\nsh\n", new Set([1]))).toThrow("Couldn't find PID field");
  await expect(topOf([1], "--no-such-option")).rejects.toThrow("ps:");
});
