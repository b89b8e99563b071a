/** What systemd and a service tell each other: sockets that it opened before the start (sd_listen_fds), and that the start is over (sd_notify). */
import { FFIType } from "bun:ffi";
import { address, check, lazySymbols, libc } from "./libc.ts";

const calls = lazySymbols({
  getsockopt: { args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.pointer, FFIType.pointer], returns: FFIType.i32 },
  connect: { args: [FFIType.i32, FFIType.pointer, FFIType.u32], returns: FFIType.i32 },
});

const firstDescriptor = 3;
const [afUnix, afInet, afInet6, datagram, cloexec, noSignal] = [1, 2, 10, 2, 0x80000, 0x4000];
const [solSocket, soType, soAcceptConn, soDomain] = [1, 3, 30, 39];
const [closeOnExec, nonBlocking] = [0x5451n, 0x5421n];

/** Descriptors that were opened for this very process. The variables that say so are removed: children are not meant. */
export function inheritedDescriptors(env: Record<string, string | undefined>, pid = process.pid): number[] {
  const { LISTEN_PID, LISTEN_FDS } = env;
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete env[name];
  const count = Number(LISTEN_FDS);
  if (Number(LISTEN_PID) !== pid || !Number.isInteger(count) || count < 0) return [];
  return Array.from({ length: count }, (_, index) => firstDescriptor + index);
}

/** Makes a listening stream socket ready to accept on, and no child's. undefined: it is none. */
export function adoptListener(descriptor: number): "unix" | "tcp" | undefined {
  let isListening: boolean;
  try {
    isListening = option(descriptor, soType) === 1 && option(descriptor, soAcceptConn) === 1;
  } catch {
    // No socket, or not open.
    return undefined;
  }
  if (!isListening) return undefined;
  check(libc.ioctl(descriptor, closeOnExec, null), "ioctl FIOCLEX");
  const on = Buffer.from([1, 0, 0, 0]);
  check(libc.ioctl(descriptor, nonBlocking, address(on)), "ioctl FIONBIO");
  const domain = option(descriptor, soDomain);
  if (domain === afUnix) return "unix";
  return domain === afInet || domain === afInet6 ? "tcp" : undefined;
}

export function closeDescriptor(descriptor: number): void {
  libc.close(descriptor);
}

/** Where to tell systemd; undefined: it does not ask. The variable is removed: runtimes would hand it on to containers. */
export function takeNotifySocket(env: Record<string, string | undefined>): string | undefined {
  const path = env["NOTIFY_SOCKET"];
  delete env["NOTIFY_SOCKET"];
  return path || undefined;
}

/** Whether the machine is being shut down or started anew; false where nobody says so in time. `program` is asked. */
export async function isHostEnding(program = "systemctl"): Promise<boolean> {
  try {
    const asked = Bun.spawn([program, "is-system-running"], { stdout: "pipe", stderr: "ignore", timeout: 5000 });
    return (await asked.stdout.text()).trim() === "stopping";
  } catch {
    return false;
  }
}

/** `READY=1` and its like. Throws SyscallError. */
export function notifySystemd(path: string, state: string): void {
  const socket = check(libc.socket(afUnix, datagram | cloexec, 0), "socket", path);
  try {
    // An abstract name begins with @ here, and with a zero byte for the kernel.
    const name = Buffer.concat([Buffer.from([afUnix, 0]), Buffer.from(path.replace(/^@/, "\0"))]);
    check(calls.connect(socket, address(name), name.length), "connect", path);
    const bytes = Buffer.from(state);
    check(libc.send(socket, address(bytes), bytes.length, noSignal), "send", path);
  } finally {
    libc.close(socket);
  }
}

function option(descriptor: number, name: number): number {
  const [value, length] = [Buffer.alloc(4), Buffer.from([4, 0, 0, 0])];
  check(calls.getsockopt(descriptor, solSocket, name, address(value), address(length)), "getsockopt");
  return value.readInt32LE();
}
