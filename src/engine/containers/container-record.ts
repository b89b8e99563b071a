/** What the database keeps of a container: all that is needed to start it again after the daemon or the host went away. */
import type { ContainerConfig, HostConfig } from "../../api/container-config.ts";
import type { ContainerStatus, NetworkSettings } from "../../api/containers.ts";
import type { NetworkingConfig } from "../../api/networks.ts";
import { zeroTime } from "../../base/clock.ts";
import type { MountPlan } from "../volumes/mounts/mount-plan.ts";

export interface RecordedState {
  status: ContainerStatus;
  /** 0 when no process runs. */
  pid: number;
  exitCode: number;
  error: string;
  oomKilled: boolean;
  /** RFC 3339; `zeroTime` for never. */
  startedAt: string;
  finishedAt: string;
}

export interface ContainerRecord {
  id: string;
  /** Without the slash that the API shows before it. */
  name: string;
  /** RFC 3339 with nanoseconds. */
  created: string;
  /** Config digest of the image. */
  imageId: string;
  /** DiffIDs that its root stands on, base first: they must stay even when the image goes. */
  layers: string[];
  /** Merged with the image's. `Image` holds the name that the user gave. */
  config: ContainerConfig;
  hostConfig: HostConfig;
  networking: NetworkingConfig | undefined;
  mounts: MountPlan[];
  state: RecordedState;
  networkSettings: NetworkSettings;
  /** Another one, gone maybe, whose network it has: `NetworkManager.keep`. */
  networkOf?: string | undefined;
  restartCount: number;
  /** Stopped by a user: restart policies leave it alone. */
  manuallyStopped: boolean;
  /** Set before its parts are deleted, so that start-up finishes a removal that a crash cut short. */
  removing: boolean;
}

export function initialState(): RecordedState {
  return {
    status: "created",
    pid: 0,
    exitCode: 0,
    error: "",
    oomKilled: false,
    startedAt: zeroTime,
    finishedAt: zeroTime,
  };
}

/** Entrypoint and command as one argument vector. */
export function commandOf(config: ContainerConfig): string[] {
  return [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
}
