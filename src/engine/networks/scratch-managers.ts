/** Test fixture: network managers on a host of the test file's own (scratch-host.ts), closed after each test with all they made. */
import { afterAll, afterEach, beforeAll, setDefaultTimeout } from "bun:test";
import { rmSync } from "node:fs";
import { Logger } from "../../base/log.ts";
import { Database } from "../../metadata/database.ts";
import { NetworkManager, type NetworkManagerOptions } from "./network-manager.ts";
import { ScratchHost } from "./scratch-host.ts";

export interface ScratchManagers {
  readonly host: ScratchHost;
  /** A manager that is ready, with an empty database unless one is given; `live` containers are taken over from a former one. */
  start(
    instance: string,
    options?: Partial<NetworkManagerOptions>,
    live?: ReadonlySet<string>,
  ): Promise<NetworkManager>;
  /** To be done after the test, before what was asked for earlier. */
  defer(cleanup: () => Promise<void>): void;
}

/** To be called once, at the top of a test file. */
export function useScratchManagers(): ScratchManagers {
  // Each test runs a dozen short-lived processes, which a loaded machine makes slow.
  setDefaultTimeout(30_000);
  let host: ScratchHost | undefined;
  const cleanups: (() => Promise<void>)[] = [];
  beforeAll(() => {
    host = new ScratchHost();
  });
  afterEach(async () => {
    await host?.stopServers();
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  afterAll(() => host?.[Symbol.dispose]());
  return {
    get host() {
      if (!host) throw new Error("the tests have not begun");
      return host;
    },
    defer: (cleanup) => void cleanups.push(cleanup),
    async start(instance, options = {}, live = new Set()) {
      const execRoot = `${this.host.directory}/${instance}`;
      const manager = new NetworkManager({
        database: new Database(":memory:"),
        config: {},
        engineId: instance,
        poolSize: 1,
        logger: new Logger("error", () => undefined),
        ...options,
        execRoot,
        instance,
      });
      cleanups.push(async () => {
        await manager.close({ keep: false }).catch(() => undefined);
        rmSync(execRoot, { recursive: true, force: true });
      });
      await manager.reconcile(live);
      return manager;
    },
  };
}
