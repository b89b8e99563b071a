/** kill -9 of a registry under load: after each restart, every tag whose push was acknowledged is pullable, and no bytes are astray. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { selfArgv } from "../../base/self.ts";
import { lines } from "../../base/streams.ts";
import { digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import { flagName } from "../config/config.ts";
import type { RegistryConfig } from "../config/keys.ts";
import { startPostgres } from "../metadata/postgres-server.ts";
import { startS3 } from "../storage/s3-server.ts";
import { imageManifest } from "../testing.ts";

async function start(root: string, config: Partial<RegistryConfig> = {}) {
  const flags = ["--root", root, "--listen", "127.0.0.1:0", "--log-access=false"];
  const more = Object.entries(config).flatMap(([name, value]) => [flagName(name), String(value)]);
  const child = Bun.spawn(selfArgv("registry", "serve", ...flags, ...more), { stdout: "ignore", stderr: "pipe" });
  for await (const line of lines(child.stderr)) {
    const url = /url="([^"]+)"/.exec(line)?.[1];
    if (url !== undefined) return { child, url };
  }
  throw new Error("the registry did not start");
}

type Running = Awaited<ReturnType<typeof start>>;

async function push(url: string, tag: string, layer: string): Promise<boolean> {
  for (const content of [layer, "{}"]) {
    const begun = await fetch(`${url}/v2/x/blobs/uploads/`, { method: "POST" });
    const at = url + begun.headers.get("location");
    await fetch(at, { method: "PATCH", body: content });
    if ((await fetch(`${at}?digest=${digestOf(content)}`, { method: "PUT" })).status !== 201) return false;
  }
  const headers = { "content-type": mediaTypes.ociManifest };
  const put = await fetch(`${url}/v2/x/manifests/${tag}`, { method: "PUT", body: imageManifest(layer), headers });
  return put.status === 201;
}

async function expectPullable(url: string, tag: string, layer: string): Promise<void> {
  const manifest = await fetch(`${url}/v2/x/manifests/${tag}`);
  expect([tag, manifest.status, await manifest.text()]).toEqual([tag, 200, imageManifest(layer)]);
  const blob = await fetch(`${url}/v2/x/blobs/${digestOf(layer)}`);
  expect((await blob.text()) === layer).toBe(true);
}

/** Pushes until the instance is gone; what was acknowledged is entered. */
function pushUntilKilled({ child, url }: Running, name: string, acknowledged: Map<string, string>): Promise<unknown> {
  const pusher = async (at: number) => {
    for (let count = 0; child.exitCode === null && child.signalCode === null; count++) {
      const tag = `${name}-${at}-${count}`;
      const layer = `${tag} ${"content ".repeat(20_000)}`;
      if (await push(url, tag, layer).catch(() => false)) acknowledged.set(tag, layer);
    }
  };
  return Promise.all([0, 1, 2].map(pusher));
}

async function kill({ child }: Running): Promise<void> {
  child.kill("SIGKILL");
  await child.exited;
}

test("kill -9 loses no acknowledged tag", async () => {
  const root = mkdtempSync(join(tmpdir(), "gantry-registry-crash-"));
  const acknowledged = new Map<string, string>();
  let running = await start(root);
  try {
    for (let round = 0; round < 4; round++) {
      const pushes = pushUntilKilled(running, `r${round}`, acknowledged);
      await Bun.sleep(250 + Math.random() * 200);
      await kill(running);
      await pushes;
      running = await start(root);
      for (const [tag, layer] of acknowledged) await expectPullable(running.url, tag, layer);
    }
    expect(acknowledged.size).toBeGreaterThan(8);
  } finally {
    await kill(running);
    rmSync(root, { recursive: true, force: true });
  }
}, 30_000);

test("kill -9 of one of two instances: the other goes on, and no acknowledged tag is lost to either", async () => {
  const root = mkdtempSync(join(tmpdir(), "gantry-registry-crash-"));
  await using postgres = await startPostgres();
  await using s3 = await startS3();
  const config = { ...s3.config("crash/"), database: await postgres.newDatabase() };
  const acknowledged = new Map<string, string>();
  const startAt = (name: string) => start(join(root, name), config);
  let [victim, other] = [await startAt("0"), await startAt("1")];
  try {
    for (let round = 0; round < 3; round++) {
      const survivor = pushUntilKilled(other, `s${round}`, acknowledged);
      const pushes = pushUntilKilled(victim, `v${round}`, acknowledged);
      await Bun.sleep(500 + Math.random() * 300);
      await kill(victim);
      await pushes;
      const before = acknowledged.size;
      for (let wait = 0; acknowledged.size === before; wait++) {
        if (wait > 500) throw new Error("the other instance does not go on");
        await Bun.sleep(10);
      }
      for (const [tag, layer] of [...acknowledged]) await expectPullable(other.url, tag, layer);
      const next = await startAt("0");
      await kill(other);
      await survivor;
      [victim, other] = [next, await startAt("1")];
    }
    for (const { url } of [victim, other]) {
      for (const [tag, layer] of acknowledged) await expectPullable(url, tag, layer);
    }
    expect(acknowledged.size).toBeGreaterThan(8);
  } finally {
    await Promise.all([victim, other].map(kill));
    rmSync(root, { recursive: true, force: true });
  }
}, 60_000);
