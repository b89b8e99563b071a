/** Mounts taken hold of by descriptors, away from any path: open_tree(2), move_mount(2) and mount_setattr(2), Linux 5.2 and 5.12. */
import { address, check, cString, libc } from "../libc.ts";

const call = { openTree: 428, moveMount: 429, mountSetattr: 442 } as const;
const currentDirectory = -100n;
const emptyPath = 0x1000n;

/** A detached copy of the mount at `path`, with those below it if `recursive`. The caller closes it. Throws SyscallError. */
export function cloneTree(path: string, { recursive }: { recursive: boolean }): number {
  const name = cString(path);
  const [clone, below, closeOnExec] = [1, 0x8000, 0o2000000];
  const flags = clone | closeOnExec | (recursive ? below : 0);
  const result = libc.syscall(BigInt(call.openTree), currentDirectory, addressOf(name), BigInt(flags), 0n, 0n, 0n);
  return check(result, "open_tree", path);
}

/** Mounts what the descriptor stands for at `path`, whose symbolic links are followed. Throws SyscallError. */
export function attachTree(descriptor: number, path: string): void {
  const [empty, name] = [cString(""), cString(path)];
  const followLinksOfAnEmptyPath = 0x14n;
  const result = libc.syscall(
    ...([BigInt(call.moveMount), BigInt(descriptor), addressOf(empty), currentDirectory, addressOf(name)] as const),
    ...([followLinksOfAnEmptyPath, 0n] as const),
  );
  check(result, "move_mount", path);
}

/** Makes a detached mount show owners as the user namespace maps them. Throws SyscallError (`EINVAL`: the file system cannot). */
export function mapOwners(descriptor: number, userNamespace: number): void {
  const idmap = 0x00100000n;
  const attributes = new BigUint64Array([idmap, 0n, 0n, BigInt(userNamespace)]);
  const [empty, bytes] = [cString(""), Buffer.from(attributes.buffer)];
  const result = libc.syscall(
    ...([BigInt(call.mountSetattr), BigInt(descriptor), addressOf(empty), emptyPath, addressOf(bytes)] as const),
    ...([BigInt(bytes.length), 0n] as const),
  );
  check(result, "mount_setattr");
}

function addressOf(buffer: Buffer): bigint {
  return BigInt(address(buffer) as unknown as number);
}
