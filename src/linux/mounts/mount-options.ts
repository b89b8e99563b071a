/** Mount options as mount(8) takes them, told apart into the kernel's flags and the file system's own. */
import { mount, mountFlags } from "./mount.ts";

/** Whether an option sets a flag or takes it away, and which. */
const known: Record<string, readonly [boolean, number]> = {
  defaults: [true, 0],
  ro: [true, 1],
  rw: [false, 1],
  nosuid: [true, 2],
  suid: [false, 2],
  nodev: [true, 4],
  dev: [false, 4],
  noexec: [true, 8],
  exec: [false, 8],
  sync: [true, 16],
  async: [false, 16],
  remount: [true, 32],
  mand: [true, 64],
  nomand: [false, 64],
  dirsync: [true, 128],
  noatime: [true, 1024],
  atime: [false, 1024],
  nodiratime: [true, 2048],
  diratime: [false, 2048],
  bind: [true, mountFlags.bind],
  rbind: [true, mountFlags.bind | mountFlags.rec],
  unbindable: [true, mountFlags.unbindable],
  runbindable: [true, mountFlags.unbindable | mountFlags.rec],
  private: [true, mountFlags.private],
  rprivate: [true, mountFlags.private | mountFlags.rec],
  slave: [true, mountFlags.slave],
  rslave: [true, mountFlags.slave | mountFlags.rec],
  shared: [true, mountFlags.shared],
  rshared: [true, mountFlags.shared | mountFlags.rec],
  relatime: [true, 1 << 21],
  norelatime: [false, 1 << 21],
  strictatime: [true, 1 << 24],
  nostrictatime: [false, 1 << 24],
};

const propagation = mountFlags.unbindable | mountFlags.private | mountFlags.slave | mountFlags.shared;
const readOnlyBind = mountFlags.bind | mountFlags.rdonly;

export function parseMountOptions(text: string): { flags: number; data: string } {
  let flags = 0;
  const data: string[] = [];
  for (const option of text.split(",")) {
    const [sets, flag] = known[option] ?? [];
    if (flag === undefined) data.push(option);
    else flags = sets ? flags | flag : flags & ~flag;
  }
  return { flags, data: data.filter(Boolean).join(",") };
}

/** Mounts as mount(8) would: propagation and a bind's being read-only take calls of their own. Throws SyscallError. */
export function mountWithOptions(source: string, target: string, type: string, options: string): void {
  const { flags, data } = parseMountOptions(options);
  const own = flags & ~propagation;
  mount({ source, target, type, flags: own, ...(data === "" ? {} : { data }) });
  if (flags & propagation) mount({ target, flags: flags & (propagation | mountFlags.rec) });
  if ((own & readOnlyBind) === readOnlyBind) mount({ target, flags: own | mountFlags.remount });
}
