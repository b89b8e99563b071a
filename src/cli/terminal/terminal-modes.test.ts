import { dlopen } from "bun:ffi";
import { afterAll, expect, test } from "bun:test";
import { closeSync } from "node:fs";
import { Output } from "./terminal.ts";
import { makeRaw, muteEcho, terminalSize } from "./terminal-modes.ts";

const libc = dlopen("libc.so.6", {
  openpty: { args: ["ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
}).symbols;

/** A pseudo-terminal of 40 rows and 120 columns. */
function openPty(): { master: number; terminal: number } {
  const [master, terminal] = [new Int32Array(1), new Int32Array(1)];
  const size = new Uint16Array([40, 120, 0, 0]);
  if (libc.openpty(master, terminal, null, null, size) !== 0) throw new Error("openpty failed");
  return { master: master[0] ?? -1, terminal: terminal[0] ?? -1 };
}

const pty = openPty();
afterAll(() => {
  closeSync(pty.master);
  closeSync(pty.terminal);
});

const settings = () => Bun.spawnSync(["stty", "-a"], { stdin: pty.terminal }).stdout.toString();
const saved = () => Bun.spawnSync(["stty", "-g"], { stdin: pty.terminal }).stdout.toString();

test("the size of a terminal", () => {
  expect(terminalSize(pty.terminal)).toEqual({ columns: 120, rows: 40 });
  expect(terminalSize(-1)).toBeUndefined();
  expect(new Output(pty.terminal).isTerminal).toBe(true);
});

test("raw mode leaves bytes alone both ways, and is undone exactly", () => {
  const before = saved();
  const restore = makeRaw(pty.terminal);
  for (const setting of ["-icanon", "-echo", "-isig", "-opost", "-icrnl"]) expect(settings()).toContain(setting);
  restore();
  expect(saved()).toBe(before);
});

test("echo off for a password, and on again", () => {
  const restore = muteEcho(pty.terminal);
  expect(settings()).toMatch(/ -echo /);
  expect(settings()).toMatch(/ icanon /);
  restore();
  expect(settings()).toMatch(/ echo /);
});

test("what is no terminal stays as it is", () => {
  makeRaw(-1)();
  muteEcho(-1)();
});
