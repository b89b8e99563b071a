/** The file systems that every container has, and the user's own over them. */
import type { SpecMount } from "../../oci/runtime-spec.ts";
import type { SpecInput } from "./input.ts";

const initTarget = "/sbin/docker-init";

export interface MountSetup {
  mounts: SpecMount[];
  rootfsPropagation?: string;
}

type Input = Pick<SpecInput, "hostConfig" | "mounts" | "shmPath" | "initPath">;

export function buildMounts(input: Input, writableCgroups: boolean): MountSetup {
  const own = [...input.mounts, ...shmMount(input)].sort((a, b) => depth(a.destination) - depth(b.destination));
  const targets = new Set(own.map((mount) => mount.destination));
  const covered = (target: string) => targets.has(target) || (targets.has("/dev") && target.startsWith("/dev/"));
  const base = [...defaultMounts(input, writableCgroups), ...initMount(input)].filter(
    (mount) => !covered(mount.destination),
  );
  const propagation = rootPropagation(own);
  return { mounts: [...base, ...own], ...(propagation === undefined ? {} : { rootfsPropagation: propagation }) };
}

function defaultMounts({ hostConfig, shmPath }: Input, writableCgroups: boolean): SpecMount[] {
  const readonly = hostConfig.Privileged ? [] : ["ro"];
  const cgroupReadonly = writableCgroups ? [] : ["ro"];
  const plain = ["nosuid", "noexec", "nodev"];
  return [
    { destination: "/proc", type: "proc", source: "proc", options: plain },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: [...plain, ...readonly] },
    { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...cgroupReadonly, ...plain] },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: plain },
    ...(hostConfig.IpcMode === "none" || shmPath !== undefined ? [] : [ownShm(hostConfig.ShmSize)]),
  ];
}

function ownShm(size = 64 << 20): SpecMount {
  const options = ["nosuid", "noexec", "nodev", "mode=1777", `size=${size}`];
  return { destination: "/dev/shm", type: "tmpfs", source: "shm", options };
}

/** /dev/shm that others share. */
function shmMount({ hostConfig, shmPath, mounts }: Input): SpecMount[] {
  const source = shmPath ?? (hostConfig.IpcMode === "host" ? "/dev/shm" : undefined);
  if (source === undefined || mounts.some((mount) => mount.destination === "/dev/shm")) return [];
  return [{ destination: "/dev/shm", type: "bind", source, options: ["rbind", "rprivate"] }];
}

function initMount({ initPath }: Input): SpecMount[] {
  if (initPath === undefined) return [];
  return [{ destination: initTarget, type: "bind", source: initPath, options: ["bind", "ro"] }];
}

/** argv under --init. */
export function withInit(args: string[], initPath: string | undefined): string[] {
  return initPath === undefined ? args : [initTarget, "--", ...args];
}

/** A shared or slave mount needs a root that events can travel through. */
function rootPropagation(mounts: readonly SpecMount[]): string | undefined {
  const has = (...names: string[]) => mounts.some((mount) => mount.options?.some((option) => names.includes(option)));
  if (has("shared", "rshared")) return "shared";
  return has("slave", "rslave") ? "rslave" : undefined;
}

function depth(path: string): number {
  return path.split("/").filter(Boolean).length;
}
