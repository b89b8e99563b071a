import { expect, test } from "bun:test";
import { Logger, type LogLevel } from "../base/log.ts";
import type { EngineEvent } from "../engine/events/event-bus.ts";
import { type DaemonConfig, readDaemonCommand } from "./config.ts";
import { reload, reloadOnHangup } from "./reload.ts";

function target(read: () => DaemonConfig) {
  const { config } = readDaemonCommand(["--data-root", "/a"]) as { config: DaemonConfig };
  const events: string[] = [];
  const levels: LogLevel[] = [];
  const attributes: Record<string, string> = {};
  const lines: string[] = [];
  return {
    config,
    events,
    levels,
    lines,
    read,
    id: "id",
    useAuthorization: async (names: readonly string[]) => {
      if (names.includes("gone")) throw new Error("no such plugin");
    },
    shownProxies: () => ({ http: "http://xxxxx:xxxxx@proxy" }),
    setLogLevel: (level: LogLevel) => void levels.push(level),
    attributes,
    publish: (event: EngineEvent) => {
      events.push(`${event.type} ${event.action}`);
      Object.assign(attributes, event.attributes);
    },
    log: new Logger("info", (line) => lines.push(line)),
  };
}

const changed = [
  "-D",
  "--label=x=y",
  "--data-root=/b",
  "--default-shm-size=1m",
  "--insecure-registry=r:5000",
  "--init",
  "--live-restore=false",
  "--max-concurrent-downloads=7",
  "--max-concurrent-uploads=8",
  "--max-download-attempts=9",
];
const { config: next } = readDaemonCommand([...changed, "--default-runtime=runc", "--shutdown-timeout=3"]) as {
  config: DaemonConfig;
};

test("SIGHUP changes what can be changed, says so, and leaves the rest", async () => {
  const given = target(() => next);
  const { registry, defaults, transfers } = given.config;
  const stop = reloadOnHangup(given);
  process.kill(process.pid, "SIGHUP");
  while (given.events.length === 0) await Bun.sleep(1);
  stop();
  expect(given.config).toMatchObject({ logLevel: "debug", debug: true, labels: ["x=y"], dataRoot: "/a" });
  // In place: others hold these.
  expect({ registry, defaults, transfers }).toMatchObject({
    registry: { insecure: ["r:5000"] },
    transfers: { downloads: 7, uploads: 8, attempts: 9 },
    defaults: { shmSize: 2 ** 20, init: true, runtime: "crun" },
  });
  expect(given.attributes).toMatchObject({
    debug: "true",
    "live-restore": "false",
    "max-concurrent-downloads": "7",
    "default-shm-size": "1048576",
    labels: '["x=y"]',
    "shutdown-timeout": "3",
    "insecure-registries": '["r:5000"]',
  });
  expect(given.lines.join("")).toContain("xxxxx:xxxxx@proxy");
  expect({ events: given.events, levels: given.levels }).toEqual({ events: ["daemon reload"], levels: ["debug"] });
});

test("authorization plugins change with the file", async () => {
  const given = target(() => ({ ...next, authorizationPlugins: ["yes"] }));
  await reload(given);
  expect(given.config.authorizationPlugins).toEqual(["yes"]);
});

test("a wrong configuration changes nothing, nor does one whose authorization plugin is not there", async () => {
  const given = target(() => {
    throw new Error("invalid JSON");
  });
  await reload(given);
  const missing = target(() => ({ ...next, authorizationPlugins: ["gone"] }));
  await reload(missing);
  for (const { config, events } of [given, missing]) {
    expect(config).toMatchObject({ logLevel: "info", labels: [], authorizationPlugins: [] });
    expect(events).toEqual([]);
  }
  expect(given.lines.join("")).toContain("invalid JSON");
  expect(missing.lines.join("")).toContain("no such plugin");
});
