/** What a runtime spec is made from. Everything is resolved already: building the spec reads nothing but device nodes. */
import type { ContainerConfig, HostConfig, Ulimit } from "../../api/container-config.ts";
import type { HostFacts } from "../../linux/host-facts.ts";
import type { SpecMount } from "../../oci/runtime-spec.ts";
import type { ResolvedUser } from "./security/user.ts";

/** `host`: that of the daemon; `new`: a fresh one; a path: that of another container (`/proc/PID/ns/ipc`) or a prepared netns. */
export type NamespaceChoice = "host" | "new" | { path: string };

export interface SpecInput {
  id: string;
  hostname: string;
  domainname: string;
  config: ContainerConfig;
  /** After `normalizeHostConfig`. */
  hostConfig: HostConfig;
  /** Entrypoint and command. */
  command: string[];
  /** The whole environment: see `containerEnv`. */
  env: string[];
  user: ResolvedUser;
  /** Absolute path of the mounted root. */
  rootfs: string;
  /** Volumes, binds, tmpfs (`toSpecMounts`), resolv.conf and its like, in the order in which they are mounted. */
  mounts: SpecMount[];
  namespaces: {
    net: NamespaceChoice;
    pid: NamespaceChoice;
    ipc: NamespaceChoice;
    uts: NamespaceChoice;
    cgroup: NamespaceChoice;
  };
  /** `/<parent>/<id>`. */
  cgroupsPath: string;
  /** Source of /dev/shm when it is shared (`--ipc shareable`, `container:X`): a tmpfs the engine mounted. Absent: a tmpfs of its own. */
  shmPath?: string;
  host: HostFacts;
  /** `--init`: host path of docker-init, bind-mounted at /sbin/docker-init. */
  initPath?: string;
  annotations?: Record<string, string>;
  /** The daemon's, for limits that the container does not name. Capped at what this process may give. */
  defaultUlimits?: readonly Ulimit[];
  /** For containers that name no profile; undefined: the built-in one. */
  defaultSeccomp?: SeccompDefault | undefined;
  /** For containers that do not say whether their processes may gain privileges. */
  defaultNoNewPrivileges?: boolean;
}

export interface ExecInput {
  args: string[];
  /** The whole environment: see `containerEnv`. */
  env: string[];
  user: ResolvedUser;
  /** Absent: the container's. */
  cwd?: string;
  tty: boolean;
  /** Height, width. */
  consoleSize?: [number, number] | null;
  privileged: boolean;
}

/** The parts of the container that an exec inherits. */
export type ExecContainer = Pick<
  SpecInput,
  "config" | "hostConfig" | "host" | "defaultUlimits" | "defaultNoNewPrivileges"
>;

/** A seccomp profile by the name that it is shown with; without one there is no filter. */
export interface SeccompDefault {
  name: string;
  /** JSON. */
  profile: string | undefined;
}

/** The daemon's own defaults. */
export interface DaemonDefaults {
  runtime: string;
  /** Names that `--runtime` may take. */
  runtimes: readonly string[];
  logDriver: string;
  logOpts: Record<string, string>;
  /** Bytes. */
  shmSize: number;
  seccomp?: SeccompDefault;
  ipcMode: "private" | "shareable";
  /** Undefined: `private` on v2, `host` on v1 and hybrid. */
  cgroupnsMode?: "private" | "host";
  init: boolean;
  noNewPrivileges: boolean;
  /** Ulimits that containers get unless they name their own. */
  ulimits: Ulimit[];
}
