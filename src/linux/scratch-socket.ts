/** Test fixture: a unix socket that is bound, as systemd makes them before the service starts. */
import { FFIType } from "bun:ffi";
import { address, check, lazySymbols, libc } from "./libc.ts";

const calls = lazySymbols({ dup: { args: [FFIType.i32], returns: FFIType.i32 } });

export class ScratchSocket implements Disposable {
  readonly descriptor: number;

  /** `stream` listens, `datagram` receives. */
  constructor(kind: "stream" | "datagram", path: string) {
    this.descriptor = check(libc.socket(1, kind === "stream" ? 1 : 2, 0), "socket");
    const name = Buffer.concat([Buffer.from([1, 0]), Buffer.from(path)]);
    check(libc.bind(this.descriptor, address(name), name.length), "bind", path);
    if (kind === "stream") check(libc.listen(this.descriptor, 5), "listen", path);
  }

  /** Another descriptor of the same socket, for who will close it. */
  duplicate(): number {
    return check(calls.dup(this.descriptor), "dup");
  }

  receive(): string {
    const buffer = Buffer.alloc(256);
    return buffer.toString("utf8", 0, check(libc.recv(this.descriptor, address(buffer), buffer.length, 0), "recv"));
  }

  [Symbol.dispose](): void {
    libc.close(this.descriptor);
  }
}
