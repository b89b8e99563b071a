/** Imports point down only: this table is the architecture, and the test reads every import of every file against it. */
import { expect, test } from "bun:test";
import { Glob } from "bun";

/** Lower number = lower layer. A folder imports from lower layers and itself; same number = siblings, which may not meet. */
const ranks: Record<string, number> = {
  base: 0,
  oci: 10,
  api: 11,
  dockerfile: 12,
  "buildkit-api": 12,
  linux: 20,
  archive: 30,
  metadata: 31,
  content: 40,
  snapshots: 41,
  runtime: 42,
  remote: 43,
  plugins: 44,
  "engine/events": 50,
  "engine/images": 51,
  "engine/volumes": 51,
  "engine/networks": 51,
  "engine/containers": 52,
  "engine/exec": 53,
  "engine/gc": 54,
  "engine/system": 55,
  builder: 60,
  buildkit: 61,
  registry: 60,
  hub: 60,
  cluster: 60,
  server: 70,
  daemon: 80,
  main: 90,
};

/** These know the engine only through the Engine API. */
const apiOnly: Record<string, string[]> = {
  // `manifest` speaks to registries itself, as docker's does.
  cli: ["base", "api", "oci", "dockerfile", "buildkit-api", "remote"],
  compose: ["base", "api"],
  console: ["base", "api"],
};

function unitOf(path: string): string {
  const parts = path.replace(/\.ts$/, "").split("/");
  return parts[0] === "engine" ? `engine/${parts[1]}` : (parts[0] as string);
}

async function imports(): Promise<{ file: string; from: string; to: string }[]> {
  const root = new URL(".", import.meta.url).pathname;
  const found: { file: string; from: string; to: string }[] = [];
  for (const file of new Glob("**/*.ts").scanSync(root)) {
    if (file === "layers.test.ts") continue;
    const text = await Bun.file(root + file).text();
    for (const match of text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)) {
      const target = new URL(match[1] as string, `file://${root}${file}`).pathname;
      if (!target.startsWith(root)) continue;
      found.push({ file, from: unitOf(file), to: unitOf(target.slice(root.length)) });
    }
  }
  return found;
}

test("every import points to a lower layer", async () => {
  const wrong: string[] = [];
  for (const { file, from, to } of await imports()) {
    if (from === to || from === "main") continue;
    const allowed = apiOnly[from];
    const ok = allowed ? allowed.includes(to) : (ranks[to] ?? 999) < (ranks[from] ?? -1);
    if (!ok) wrong.push(`${file}: ${from} → ${to}`);
  }
  expect(wrong).toEqual([]);
});
