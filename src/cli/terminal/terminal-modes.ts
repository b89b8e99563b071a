/**
 * Terminal modes and sizes through libc: Node's raw mode leaves output post-processing on, which garbles full-screen programs in a
 * container, and loading its tty module is slower. Loaded only when a terminal is used.
 */
import { dlopen } from "bun:ffi";

const libc = dlopen("libc.so.6", {
  tcgetattr: { args: ["i32", "ptr"], returns: "i32" },
  tcsetattr: { args: ["i32", "i32", "ptr"], returns: "i32" },
  cfmakeraw: { args: ["ptr"], returns: "void" },
  ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" },
}).symbols;

/** `sizeof(struct termios)` of glibc is 60 on every Linux architecture. */
const termiosSize = 60;
const TCSADRAIN = 1;
const TIOCGWINSZ = 0x5413;

/** Columns and rows of a terminal; undefined when the descriptor is none. */
export function terminalSize(fd: number): { columns: number; rows: number } | undefined {
  const winsize = new Uint16Array(4);
  if (libc.ioctl(fd, TIOCGWINSZ, winsize) !== 0) return undefined;
  return { columns: winsize[1] ?? 0, rows: winsize[0] ?? 0 };
}

/** Raw mode (cfmakeraw). Returns what restores the former mode; calling it again does nothing. */
export function makeRaw(fd: number): () => void {
  const saved = new Uint8Array(termiosSize);
  if (libc.tcgetattr(fd, saved) !== 0) return () => {};
  const raw = saved.slice();
  libc.cfmakeraw(raw);
  libc.tcsetattr(fd, TCSADRAIN, raw);
  let restored = false;
  return () => {
    if (restored) return;
    restored = true;
    libc.tcsetattr(fd, TCSADRAIN, saved);
  };
}

/** Echo off, for passwords. Returns what restores the former mode. */
export function muteEcho(fd: number): () => void {
  const saved = new Uint8Array(termiosSize);
  if (libc.tcgetattr(fd, saved) !== 0) return () => {};
  const muted = saved.slice();
  const flags = new DataView(muted.buffer);
  const localFlagsOffset = 12;
  const ECHO = 0o10;
  flags.setUint32(localFlagsOffset, flags.getUint32(localFlagsOffset, true) & ~ECHO, true);
  libc.tcsetattr(fd, TCSADRAIN, muted);
  return () => void libc.tcsetattr(fd, TCSADRAIN, saved);
}
