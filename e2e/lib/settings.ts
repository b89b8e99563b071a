/** What the environment says about a run of the journeys. Read once, by name, so that `docs/testing.md` can list it. */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export type TargetKind = "gantry" | "dockerd";

export const repository = resolve(import.meta.dir, "../..");

/** Which engine the journeys drive: `TARGET=gantry` (the default) or `TARGET=dockerd`, the oracle. */
export const targetKind: TargetKind = readTarget(process.env["TARGET"] ?? "gantry");

/** The stock docker CLI: `DOCKER_CLI`, or the one on the PATH. */
export const dockerCli = process.env["DOCKER_CLI"] ?? "docker";

/** Directory with another dockerd (`usr/sbin/dockerd`, `usr/bin/containerd`, …), as Debian's packages unpack; undefined: the system's. */
export const dockerdRoot = process.env["DOCKERD_ROOT"];

/** The CLI's compose plugin (version 2 or newer), which Debian 12 does not have: without it, its part of the journey is skipped. */
export const composePlugin = process.env["COMPOSE_PLUGIN"];

/** The CLI's buildx plugin: without it, the tests of BuildKit's face are skipped. */
export const buildxPlugin = process.env["BUILDX_PLUGIN"];

/** What takes long to make (a Debian root) is kept here between runs. */
export const cacheDirectory = process.env["E2E_CACHE"] ?? join(tmpdir(), "gantry-e2e-cache");

/** The daemon's command line up to `daemon`: `GANTRY`, else the built executable, else the source. */
export function gantryCommand(): string[] {
  const chosen = process.env["GANTRY"];
  if (chosen) return chosen.split(" ");
  const built = join(repository, "build/gantry");
  if (existsSync(built)) return [built];
  return [join(repository, "node_modules/.bin/bun"), join(repository, "src/main.ts")];
}

function readTarget(value: string): TargetKind {
  if (value === "gantry" || value === "dockerd") return value;
  throw new Error(`TARGET must be gantry or dockerd, not ${value}`);
}
