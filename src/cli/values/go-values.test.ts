import { expect, test } from "bun:test";
import { formatGoDuration } from "../../base/go-duration.ts";
import { goQuote } from "../../base/go-quote.ts";
import { parseGoDuration, parseRamBytes } from "./go-values.ts";

test.each([
  ["plain", '"plain"'],
  ['a"b\\', '"a\\"b\\\\"'],
  ["tab\tnul\0", '"tab\\tnul\\x00"'],
  ["é", '"é"'],
])("%p quotes as %s", (text, quoted) => {
  expect(goQuote(text)).toBe(quoted);
});

test.each([
  ["0", 0, "0s"],
  ["1h", 3600e9, "1h0m0s"],
  ["1h30m5.5s", 5405.5e9, "1h30m5.5s"],
  ["-2m", -120e9, "-2m0s"],
  ["20ms", 20e6, "20ms"],
  ["3us", 3e3, "3µs"],
  [".5s", 5e8, "500ms"],
])("duration %s", (text, nanos, shown) => {
  expect(parseGoDuration(text)).toBe(nanos);
  expect(formatGoDuration(nanos)).toBe(shown);
});

test.each([
  ["", 'time: invalid duration ""'],
  ["x", 'time: invalid duration "x"'],
  ["1", 'time: missing unit in duration "1"'],
  ["1y", 'time: unknown unit "y" in duration "1y"'],
  ["1h-5m", 'time: unknown unit "h-" in duration "1h-5m"'],
])("duration %p is refused", (text, message) => {
  expect(() => parseGoDuration(text)).toThrow(message);
});

test.each([
  ["1", 1],
  ["1k", 1024],
  ["1.5 MiB", 1572864],
  ["2gb", 2 ** 31],
])("size %s", (text, bytes) => {
  expect(parseRamBytes(text)).toBe(bytes);
});

test.each(["", "-1", "1x", "k", "1 2"])("size %p is refused", (text) => {
  expect(() => parseRamBytes(text)).toThrow(`invalid size: '${text}'`);
});
