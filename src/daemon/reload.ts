/**
 * SIGHUP: reads daemon.json again and applies what can change while running. The rest needs a restart. Those who were given a part of
 * the configuration read it at each use, so that it is changed in place.
 */
import { hostname } from "node:os";
import { errorMessage } from "../base/errors.ts";
import type { Logger, LogLevel } from "../base/log.ts";
import type { EngineEvent } from "../engine/events/event-bus.ts";
import type { DaemonConfig } from "./config.ts";

export interface ReloadTarget {
  /** The configuration that runs; its reloadable fields are changed in place. */
  config: DaemonConfig;
  read: () => DaemonConfig;
  publish: (event: EngineEvent) => void;
  setLogLevel: (level: LogLevel) => void;
  /** Id of this daemon, for the event. */
  id: string;
  /** Rejects, and nothing is reloaded, when one of these plugins is not there. */
  useAuthorization: (names: readonly string[]) => Promise<void>;
  /** As `info` shows them, for the log. */
  shownProxies: () => object;
  log: Logger;
}

const reloadable = [
  "authorizationPlugins",
  "logLevel",
  "debug",
  "labels",
  "shutdownTimeoutMillis",
  "liveRestore",
  "preferBuildkit",
] as const;

/** Reloads on every SIGHUP until the returned function is called. A configuration that is wrong changes nothing. */
export function reloadOnHangup(target: ReloadTarget): () => void {
  const listener = () => void reload(target);
  process.on("SIGHUP", listener);
  return () => process.off("SIGHUP", listener);
}

export async function reload(target: ReloadTarget): Promise<void> {
  const { config, read, publish, setLogLevel, id, shownProxies, log } = target;
  try {
    const next = read();
    await target.useAuthorization(next.authorizationPlugins);
    for (const field of reloadable) Object.assign(config, { [field]: next[field] });
    Object.assign(config.registry, next.registry);
    Object.assign(config.transfers, next.transfers);
    // Another runtime would need what is prepared for it at the start; a profile of seccomp is read then.
    const { runtime, runtimes, seccomp } = config.defaults;
    Object.assign(config.defaults, next.defaults, { runtime, runtimes, seccomp });
    setLogLevel(next.logLevel);
    const attributes = describe(config);
    log.info("Reloaded configuration", { configFile: config.configFile, ...attributes, proxies: shownProxies() });
    publish({ type: "daemon", action: "reload", id, attributes });
  } catch (error) {
    log.error(`configuration not reloaded: ${errorMessage(error)}`);
  }
}

/** The attributes of dockerd's event: the configuration as it is now. */
function describe(config: DaemonConfig) {
  const { debug, labels, registry, transfers, defaults, liveRestore, shutdownTimeoutMillis } = config;
  const seconds = Number.isFinite(shutdownTimeoutMillis) ? shutdownTimeoutMillis / 1000 : -1;
  return {
    debug: String(debug),
    "default-cgroupns-mode": defaults.cgroupnsMode ?? "",
    "default-ipc-mode": defaults.ipcMode,
    "default-runtime": defaults.runtime,
    "default-shm-size": String(defaults.shmSize),
    "insecure-registries": JSON.stringify(registry.insecure),
    labels: JSON.stringify(labels),
    "live-restore": String(liveRestore),
    "max-concurrent-downloads": String(transfers.downloads),
    "max-concurrent-uploads": String(transfers.uploads),
    "max-download-attempts": String(transfers.attempts),
    name: hostname(),
    "registry-mirrors": JSON.stringify(registry.mirrors),
    runtimes: defaults.runtimes.join(" "),
    "shutdown-timeout": String(seconds),
  };
}
