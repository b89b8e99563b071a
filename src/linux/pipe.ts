/** Pipes between processes, and writing to one without waiting on this thread. */
import { FFIType, ptr } from "bun:ffi";
import { closeSync, writev } from "node:fs";
import { internal } from "../base/errors.ts";
import { lazySymbols } from "./libc.ts";

/** On the thread pool, which waits for the reader. Rejects when there is none any more. */
export async function writeAll(descriptor: number, chunks: Uint8Array[]): Promise<void> {
  let rest = chunks;
  while (rest.length > 0) {
    let written = await writeVector(descriptor, rest);
    while (rest.length > 0 && written >= (rest[0] as Uint8Array).length) {
      written -= (rest[0] as Uint8Array).length;
      rest = rest.slice(1);
    }
    if (written > 0) rest = [(rest[0] as Uint8Array).subarray(written), ...rest.slice(1)];
  }
}

function writeVector(descriptor: number, chunks: Uint8Array[]): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(descriptor, chunks, (error, written) => (error ? reject(error) : resolve(written)));
  });
}

const calls = lazySymbols({
  pipe2: { args: [FFIType.pointer, FFIType.i32], returns: FFIType.i32 },
  fcntl: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
});
const setPipeSize = 1031;

export interface Pipe extends Disposable {
  readEnd: number;
  writeEnd: number;
}

/** A pipe to connect two children. Disposing closes both ends here, once the children have their copies; idempotent. */
export function makePipe(): Pipe {
  const ends = new Int32Array(2);
  if (calls.pipe2(ptr(ends), 0o2000000) !== 0) throw internal("cannot make a pipe");
  const [readEnd, writeEnd] = ends as unknown as [number, number];
  // The most that the kernel's default allows. Fewer switches between the two ends; where it is refused, it works as well.
  calls.fcntl(writeEnd, setPipeSize, 1 << 20);
  let open = true;
  return {
    readEnd,
    writeEnd,
    [Symbol.dispose]() {
      if (open) for (const end of ends) closeSync(end);
      open = false;
    },
  };
}
