/**
 * libc through bun:ffi: the few system calls that Node's API lacks. Everything here is synchronous and runs on the calling
 * thread; a call that may block for long belongs in a Worker or a child process.
 */
import { dlopen, type FFIFunction, FFIType, type Library, type Pointer, ptr, read } from "bun:ffi";
import { constants } from "node:os";

const { i32, u32, i64, u64, pointer } = FFIType;

/**
 * Functions of libc, each bound when it is first used: binding takes half a millisecond, and a child process or a command needs few
 * of them.
 */
export function lazySymbols<T extends Record<string, FFIFunction>>(definitions: T): Library<T>["symbols"] {
  const symbols = {} as Library<T>["symbols"];
  for (const [name, definition] of Object.entries(definitions)) {
    Object.defineProperty(symbols, name, {
      configurable: true,
      get() {
        const value = dlopen("libc.so.6", { [name]: definition }).symbols[name];
        Object.defineProperty(symbols, name, { value });
        return value;
      },
    });
  }
  return symbols;
}

/** Where this thread's errno is. Asked once: between a failed call and reading it, as little as possible may happen. */
const errnoPointer = dlopen("libc.so.6", {
  __errno_location: { args: [], returns: pointer },
}).symbols.__errno_location() as Pointer;

const libc = lazySymbols({
  mount: { args: [pointer, pointer, pointer, u64, pointer], returns: i32 },
  umount2: { args: [pointer, i32], returns: i32 },
  unshare: { args: [i32], returns: i32 },
  setns: { args: [i32, i32], returns: i32 },
  chroot: { args: [pointer], returns: i32 },
  fchdir: { args: [i32], returns: i32 },
  mknod: { args: [pointer, u32, u64], returns: i32 },
  socket: { args: [i32, i32, i32], returns: i32 },
  bind: { args: [i32, pointer, u32], returns: i32 },
  listen: { args: [i32, i32], returns: i32 },
  send: { args: [i32, pointer, u64, i32], returns: i64 },
  recv: { args: [i32, pointer, u64, i32], returns: i64 },
  setsockopt: { args: [i32, i32, i32, pointer, u32], returns: i32 },
  close: { args: [i32], returns: i32 },
  syscall: { args: [i64, i64, i64, i64, i64, i64, i64], returns: i64 },
  lsetxattr: { args: [pointer, pointer, pointer, u64, i32], returns: i32 },
  lgetxattr: { args: [pointer, pointer, pointer, u64], returns: i64 },
  ioctl: { args: [i32, u64, pointer], returns: i32 },
  flock: { args: [i32, i32], returns: i32 },
  llistxattr: { args: [pointer, pointer, u64], returns: i64 },
  lremovexattr: { args: [pointer, pointer], returns: i32 },
});

export { libc };

const errnoNames = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));

/** A failed system call. `code` is the errno's name, as in Node's own system errors. */
export class SyscallError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;

  constructor(syscall: string, errno: number, detail = "") {
    const code = errnoNames.get(errno) ?? `E${errno}`;
    super(`${syscall}${detail ? ` ${detail}` : ""}: ${code}`);
    this.name = "SyscallError";
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}

/**
 * errno of the last failed call on this thread. Read it at once: any later call may change it, also one of Bun itself (its garbage
 * collector looks into /proc, which fails in a chroot). Where a decision hangs on it, ask the kernel again in another way.
 */
export function errno(): number {
  return read.i32(errnoPointer, 0);
}
// Compiled now: compiling it allocates, and after a failed call that could be when the garbage collector runs.
errno();

/** Returns the result of a call that reports failure by a negative number, or throws SyscallError. */
export function check(result: number | bigint, syscall: string, detail?: string): number {
  if (result >= 0) return Number(result);
  throw new SyscallError(syscall, errno(), detail);
}

/** A NUL-terminated string that can be passed as a pointer. Keep the buffer referenced until the call returned. */
export function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

/** Address of a buffer, or null. */
export function address(buffer: Uint8Array | undefined): ReturnType<typeof ptr> | null {
  return buffer === undefined ? null : ptr(buffer);
}
