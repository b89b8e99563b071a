import { expect, test } from "bun:test";
import { parseSignal } from "./signals.ts";

test("names with and without SIG, numbers and real-time signals", () => {
  const table: [string, number][] = [
    ["SIGTERM", 15],
    ["kill", 9],
    ["15", 15],
    ["RTMIN", 34],
    ["SIGRTMIN+3", 37],
    ["rtmax-1", 63],
    ["SIGWINCH", 28],
  ];
  for (const [text, number] of table) expect(parseSignal(text)).toBe(number);
});

test("what is no signal is refused with Docker's words", () => {
  for (const bad of ["SIGFOO", "0", "65", "RTMIN+31", "-9", ""])
    expect(() => parseSignal(bad)).toThrow(`invalid signal: ${bad}`);
});
