/** What the journeys of BuildKit's face need: the CLI's plugins in their place, and a registry beside the daemon. */
import { afterAll, beforeAll } from "bun:test";
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { useTarget } from "./journey.ts";
import { run, until } from "./run.ts";
import { buildxPlugin, composePlugin, gantryCommand, targetKind } from "./settings.ts";
import type { Target } from "./target.ts";

/** Whether a plugin was found: without it, what needs it is skipped. */
export function isPresent(path: string | undefined): boolean {
  return path !== undefined && existsSync(path);
}

export const hasBuildx = isPresent(buildxPlugin);
export const onGantryWithBuildx = hasBuildx && targetKind === "gantry";

export function linkPlugins({ root }: Target): void {
  const plugins = join(root, "cli/cli-plugins");
  mkdirSync(plugins, { recursive: true });
  mkdirSync(join(root, "work"), { recursive: true });
  for (const [name, path] of Object.entries({ "docker-buildx": buildxPlugin, "docker-compose": composePlugin })) {
    if (path && !existsSync(join(plugins, name))) symlinkSync(path, join(plugins, name));
  }
}

/** A registry on the daemon's loopback, which it trusts without TLS. */
export const registryAddress = "127.0.0.1:5000";

/** As `useTarget`; on Gantry with the plugins, and with the registry, which is ended before the daemon. */
export function useTargetWithRegistry(): () => Target {
  let registry: AsyncDisposable | undefined;
  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
  });
  const target = useTarget();
  beforeAll(async () => {
    if (targetKind !== "gantry") return;
    linkPlugins(target());
    registry = await startRegistry(target());
  });
  return target;
}

async function startRegistry({ host, root }: Target): Promise<AsyncDisposable> {
  const serve = [
    ...gantryCommand(),
    "registry",
    "serve",
    "--listen",
    registryAddress,
    "--root",
    join(root, "registry"),
  ];
  const registry = Bun.spawn(host.command(serve), { stdout: "ignore", stderr: "ignore" });
  await until(
    "the registry",
    async () => (await run(host.command(["curl", "-sf", `http://${registryAddress}/v2/`]))).code === 0,
  );
  return {
    async [Symbol.asyncDispose]() {
      registry.kill();
      await registry.exited;
    },
  };
}
