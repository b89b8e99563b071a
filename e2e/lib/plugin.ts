/** Starts the test plugin where both engines look, under a name of this run's own, and takes it away at the end. */
import { afterAll, beforeAll } from "bun:test";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { until } from "./run.ts";
import { repository } from "./settings.ts";

export interface TestPlugin {
  name: string;
  /** Its directory (test-plugin.ts). */
  root: string;
}

/** Call it before `useTarget` for a daemon that needs the plugin to start. */
export function usePlugin(): TestPlugin {
  const name = `e2eplug${String(process.pid).padStart(7, "0")}`;
  const root = `/tmp/gantry-${name}`;
  const socket = `/run/docker/plugins/${name}.sock`;
  let plugin: Bun.Subprocess | undefined;
  beforeAll(async () => {
    mkdirSync("/run/docker/plugins", { recursive: true });
    const argv = [process.execPath, join(repository, "e2e/lib/test-plugin.ts"), socket, root];
    plugin = Bun.spawn(argv, { stdout: "ignore", stderr: "inherit" });
    await until("the plugin", () => existsSync(socket));
  });
  afterAll(async () => {
    plugin?.kill();
    await plugin?.exited;
    rmSync(socket, { force: true });
    rmSync(root, { recursive: true, force: true });
  });
  return { name, root };
}
