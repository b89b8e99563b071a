/**
 * Mounting overlayfs with any number of layers. Source: Documentation/filesystems/overlayfs.rst.
 *
 * mount(2) takes its options in one page of memory, which some forty layers fill. The kernel's newer mount API (fsopen and its
 * kin, 5.2) takes lower directories one by one since 6.5 (`lowerdir+`). Older kernels get them as `/proc/self/fd/N`, short enough
 * for some two hundred.
 */
import { closeSync, openSync } from "node:fs";
import { errorCode } from "../../base/errors.ts";
import { openFlags } from "../files.ts";
import { address, check, cString, libc, SyscallError } from "../libc.ts";
import { mount } from "./mount.ts";

export interface OverlayMount {
  /** Read-only directories, the topmost first; at least one. */
  lower: readonly string[];
  upper: string;
  /** Empty, on the file system of `upper`. */
  work: string;
  target: string;
}

/** As Docker's overlay2: the upper directory is to hold plain files, so that it can become a layer. */
const features: [name: string, value: string][] = [
  ["index", "off"],
  ["metacopy", "off"],
  ["redirect_dir", "off"],
];

/** System call numbers of the mount API, the same on every architecture. */
const call = { moveMount: 429, fsopen: 430, fsconfig: 431, fsmount: 432 } as const;
const fsconfigCommand = { setString: 1, create: 6 } as const;
const pageLimit = 4095;

let lowerdirPlus: boolean | undefined;

/** Throws SyscallError. */
export function mountOverlay(request: OverlayMount): void {
  if (lowerdirPlus !== false) {
    try {
      mountByParts(request);
      lowerdirPlus = true;
      return;
    } catch (error) {
      // Unknown system call, or unknown option.
      if (lowerdirPlus || !(errorCode(error) === "ENOSYS" || errorCode(error) === "EINVAL")) throw error;
    }
  }
  mountAtOnce(request);
  lowerdirPlus = false;
}

function mountByParts({ lower, upper, work, target }: OverlayMount): void {
  const context = syscall("fsopen", call.fsopen, [text("overlay"), 1]);
  try {
    const set = (key: string, value: string) =>
      syscall(
        "fsconfig",
        call.fsconfig,
        [context, fsconfigCommand.setString, text(key), text(value), 0],
        `${key}=${value}`,
      );
    set("source", "overlay");
    for (const directory of lower) set("lowerdir+", directory);
    set("upperdir", escapeEach(upper, /[\\,]/g));
    set("workdir", escapeEach(work, /[\\,]/g));
    for (const [key, value] of features) set(key, value);
    syscall("fsconfig", call.fsconfig, [context, fsconfigCommand.create, 0, 0, 0], target);
    const mounted = syscall("fsmount", call.fsmount, [context, 1, 0], target);
    try {
      // MOVE_MOUNT_F_EMPTY_PATH: the first path is the descriptor itself.
      syscall("move_mount", call.moveMount, [mounted, text(""), -100, text(target), 4], target);
    } finally {
      closeSync(mounted);
    }
  } finally {
    closeSync(context);
  }
}

/** For kernels before 6.5. */
export function mountAtOnce({ lower, upper, work, target }: OverlayMount): void {
  const rest = [["upperdir", escapeEach(upper, /[\\,]/g)], ["workdir", escapeEach(work, /[\\,]/g)], ...features];
  const options = (directories: string[]) =>
    [["lowerdir", directories.join(":")], ...rest].map(([key, value]) => `${key}=${value}`).join(",");
  const plain = options(lower.map((directory) => escapeEach(directory, /[\\,:]/g)));
  if (Buffer.byteLength(plain) <= pageLimit) {
    mount({ source: "overlay", target, type: "overlay", data: plain });
    return;
  }
  const descriptors: number[] = [];
  try {
    for (const directory of lower) descriptors.push(openSync(directory, openFlags.path | openFlags.directory));
    const short = options(descriptors.map((descriptor) => `/proc/self/fd/${descriptor}`));
    if (Buffer.byteLength(short) > pageLimit) throw new SyscallError("mount", 7, `${target}: ${lower.length} layers`);
    mount({ source: "overlay", target, type: "overlay", data: short });
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}

function escapeEach(path: string, special: RegExp): string {
  return path.replace(special, (character) => `\\${character}`);
}

/** A string argument; the buffers live until the call returned. */
function text(value: string): Buffer {
  return cString(value);
}

function syscall(name: string, number: number, args: (number | Buffer)[], detail?: string): number {
  const [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n] = args.map((arg) =>
    BigInt(typeof arg === "number" ? arg : (address(arg) as unknown as number)),
  );
  return check(libc.syscall(BigInt(number), a, b, c, d, e, f), name, detail);
}
