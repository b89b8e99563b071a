/** How each engine is started on a test host. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { dockerdRoot, gantryCommand, type TargetKind } from "./settings.ts";

export interface DaemonPaths {
  root: string;
  socket: string;
  /** Name of the parent cgroup. */
  cgroup: string;
}

export interface Launch {
  argv: string[];
  env: Record<string, string | undefined>;
}

/** Command line of a daemon with everything of its own. `flags` are added as they are: both engines know dockerd's. */
export function daemonLaunch(kind: TargetKind, paths: DaemonPaths, flags: readonly string[] = []): Launch {
  return kind === "dockerd" ? dockerdLaunch(paths, flags) : gantryLaunch(paths, flags);
}

function commonFlags({ root, socket, cgroup }: DaemonPaths): string[] {
  return [
    `--host=unix://${socket}`,
    `--data-root=${join(root, "data")}`,
    `--exec-root=${join(root, "exec")}`,
    `--pidfile=${join(root, "pid")}`,
    `--config-file=${join(root, "daemon.json")}`,
    `--cgroup-parent=/${cgroup}`,
  ];
}

/** dockerd starts a containerd of its own below its exec root. */
function dockerdLaunch(paths: DaemonPaths, flags: readonly string[]): Launch {
  const path = process.env["PATH"] ?? "";
  if (!dockerdRoot) {
    const binary = ["/usr/sbin/dockerd", "/usr/bin/dockerd"].find((candidate) => existsSync(candidate));
    if (!binary) throw new Error("TARGET=dockerd needs dockerd (Debian: apt-get install docker.io)");
    return { argv: [binary, ...commonFlags(paths), ...flags], env: process.env };
  }
  const own = ["usr/sbin", "usr/bin"].map((directory) => `${dockerdRoot}/${directory}`);
  return {
    argv: [join(dockerdRoot, "usr/sbin/dockerd"), ...commonFlags(paths), ...flags],
    env: { ...process.env, PATH: [...own, path].join(":") },
  };
}

function gantryLaunch(paths: DaemonPaths, flags: readonly string[]): Launch {
  return { argv: [...gantryCommand(), "daemon", ...commonFlags(paths), ...flags], env: process.env };
}
