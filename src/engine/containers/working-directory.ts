/** The directory that a container begins in is there before it runs, so that files can be copied into it. */
import type { ContainerConfig } from "../../api/container-config.ts";
import { makeDirectoryInRoot } from "../../linux/make-directory.ts";

/** Idempotent. Throws `invalid-argument` in dockerd's words when something else is in the way. */
export function makeWorkingDirectory(rootfs: string, { WorkingDir = "" }: ContainerConfig): void {
  if (WorkingDir !== "" && WorkingDir !== "/") makeDirectoryInRoot(rootfs, WorkingDir, { mode: 0o755, uid: 0, gid: 0 });
}
