import { expect, test } from "bun:test";
import { Logger } from "../../../base/log.ts";
import type { ExitRecord } from "../../../runtime/shim.ts";
import { ContainerEvents } from "../container-events.ts";
import type { ContainerStore } from "../container-store.ts";
import { ContainerControl } from "../control.ts";
import { testContainer } from "../test-record.ts";
import type { Launcher } from "./launch.ts";
import { Lifecycle } from "./lifecycle.ts";

function fakeShim() {
  const { promise: exited, resolve } = Promise.withResolvers<ExitRecord>();
  const end = () => resolve({ exitCode: 0, signal: 0, oomKilled: false, finishedAt: 0n });
  return { exited, end, signal: async () => end(), close: () => undefined };
}

/** One container that is always restarted. `launched` holds a process for each start; a start sets `begun` and waits for `launching`. */
function scene() {
  const container = testContainer({ hostConfig: { RestartPolicy: { Name: "always" } } });
  const launched: ReturnType<typeof fakeShim>[] = [];
  const gate = { begun: false, launching: Promise.resolve() };
  const launcher = {
    launch: async () => {
      gate.begun = true;
      await gate.launching;
      const shim = fakeShim();
      launched.push(shim);
      return { shim, pid: 1, networkSettings: container.record.networkSettings };
    },
    releaseNetwork: async () => undefined,
    teardown: async () => undefined,
  } as unknown as Launcher;
  const store = {
    save: () => undefined,
    list: () => [container],
    parentsOf: () => [],
  } as unknown as ContainerStore;
  const events = new ContainerEvents({ publish: () => undefined, listeners: 0 });
  const lifecycle = new Lifecycle({
    ...{ store, launcher, events, log: new Logger("fatal") },
    health: { begin: () => undefined, end: () => undefined },
    forgetExecs: () => undefined,
    removeEnded: async () => undefined,
  });
  const freezer = { freeze: async () => undefined, thaw: async () => undefined };
  const control = new ContainerControl({ store, lifecycle, freezer, events });
  return { container, launched, gate, lifecycle, control };
}

test("while restarts are held, what waits for its restart is not started", async () => {
  const { container, launched, lifecycle } = scene();
  await lifecycle.start(container);
  launched[0]?.end();
  while (container.restartTimer === undefined) await Bun.sleep(1);
  lifecycle.holdRestarts(true);
  while (container.restartTimer !== undefined) await Bun.sleep(1);
  await container.lifecycle.run(async () => undefined);
  expect([launched.length, container.isRestarting]).toEqual([1, true]);
  await expect(lifecycle.start(container)).rejects.toThrow("the daemon is ending, and its containers with it");
});

test("a container that is being started ends with the daemon, too", async () => {
  const { container, launched, gate, lifecycle, control } = scene();
  const { promise, resolve } = Promise.withResolvers<void>();
  gate.launching = promise;
  const starting = lifecycle.start(container);
  while (!gate.begun) await Bun.sleep(1);
  lifecycle.holdRestarts(true);
  const ending = control.endWithDaemon(container);
  resolve();
  await Promise.all([starting, ending]);
  expect([launched.length, container.isRunning, container.record.manuallyStopped]).toEqual([1, false, false]);
});
