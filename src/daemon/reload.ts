/** SIGHUP: reads daemon.json again and applies what can change while running (log level, labels). The rest needs a restart. */

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
  log: Logger;
}

const reloadable = ["logLevel", "debug", "labels"] as const;

/** Reloads on every SIGHUP until the returned function is called. A configuration that is wrong changes nothing. */
export function reloadOnHangup(target: ReloadTarget): () => void {
  const listener = () => reload(target);
  process.on("SIGHUP", listener);
  return () => process.off("SIGHUP", listener);
}

export function reload({ config, read, publish, setLogLevel, id, log }: ReloadTarget): void {
  try {
    const next = read();
    for (const field of reloadable) Object.assign(config, { [field]: next[field] });
    setLogLevel(next.logLevel);
    log.info("Got signal to reload configuration", { configFile: config.configFile });
    const attributes = { debug: String(next.debug), labels: JSON.stringify(next.labels) };
    publish({ type: "daemon", action: "reload", id, attributes });
  } catch (error) {
    log.error(`configuration not reloaded: ${errorMessage(error)}`);
  }
}
