import { expect, test } from "bun:test";
import { Logger, type LogLevel } from "../base/log.ts";
import type { DaemonConfig } from "./config.ts";
import { reload, reloadOnHangup } from "./reload.ts";

function target(read: () => DaemonConfig) {
  const config = { logLevel: "info", debug: false, labels: [], dataRoot: "/a" } as unknown as DaemonConfig;
  const events: string[] = [];
  const levels: LogLevel[] = [];
  const lines: string[] = [];
  return {
    config,
    events,
    levels,
    lines,
    read,
    id: "id",
    setLogLevel: (level: LogLevel) => void levels.push(level),
    publish: ({ type, action }: { type: string; action: string }) => void events.push(`${type} ${action}`),
    log: new Logger("info", (line) => lines.push(line)),
  };
}

const next = { logLevel: "debug", debug: true, labels: ["x=y"], dataRoot: "/b" } as unknown as DaemonConfig;

test("SIGHUP changes what can be changed, says so, and leaves the rest", async () => {
  const given = target(() => next);
  const stop = reloadOnHangup(given);
  process.kill(process.pid, "SIGHUP");
  while (given.events.length === 0) await Bun.sleep(1);
  stop();
  expect(given.config).toMatchObject({ logLevel: "debug", debug: true, labels: ["x=y"], dataRoot: "/a" });
  expect({ events: given.events, levels: given.levels }).toEqual({ events: ["daemon reload"], levels: ["debug"] });
});

test("a wrong configuration changes nothing", () => {
  const given = target(() => {
    throw new Error("invalid JSON");
  });
  reload(given);
  expect(given.config).toMatchObject({ logLevel: "info", labels: [] });
  expect(given.events).toEqual([]);
  expect(given.lines.join("")).toContain("invalid JSON");
});
