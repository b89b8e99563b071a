import { expect, test } from "bun:test";
import { frame } from "./stdcopy.ts";
import { type Piece, StdcopyReader } from "./stdcopy-reader.ts";

const out = (text: string) => frame("stdout", Buffer.from(text));
const err = (text: string) => frame("stderr", Buffer.from(text));
const show = (pieces: Piece[]) => pieces.map(({ stream, parts }) => `${stream}:${Buffer.concat(parts).toString()}`);

test("frames of one chunk come in order, neighbours of one stream joined", () => {
  const chunk = Buffer.concat([out("a"), out("b"), err("c"), out(""), out("d")]);
  expect(show(new StdcopyReader().read(chunk))).toEqual(["1:ab", "2:c", "1:d"]);
});

test("any cut of the stream gives the same bytes", () => {
  const whole = Buffer.concat([out("hello "), err("oops"), out("world")]);
  for (let size = 1; size <= whole.length; size++) {
    const reader = new StdcopyReader();
    const seen = { 1: "", 2: "" };
    for (let at = 0; at < whole.length; at += size) {
      for (const { stream, parts } of reader.read(whole.subarray(at, at + size))) seen[stream] += Buffer.concat(parts);
    }
    expect(seen).toEqual({ 1: "hello world", 2: "oops" });
  }
});

test("large frames are views into the chunk, small ones are joined", () => {
  const large = Buffer.concat([out("x".repeat(10_000)), out("y".repeat(10_000))]);
  const [piece] = new StdcopyReader().read(large);
  expect(piece?.parts.map((part) => part.buffer)).toEqual([large.buffer, large.buffer]);
  const small = Buffer.concat(Array.from({ length: 2000 }, () => out("line\n")));
  expect(new StdcopyReader().read(small)[0]?.parts).toHaveLength(1);
});

test("the daemon's own error and unknown streams throw", () => {
  const error = frame("stderr", Buffer.from("log is gone"));
  error[0] = 3;
  expect(() => new StdcopyReader().read(error)).toThrow("error from daemon in stream: log is gone");
  const unknown = out("x");
  unknown[0] = 9;
  expect(() => new StdcopyReader().read(unknown)).toThrow("Unrecognized input header: 9");
});
