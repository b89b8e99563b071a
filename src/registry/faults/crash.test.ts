/** kill -9 of a registry under load: after each restart, every tag whose push was acknowledged is pullable, and no bytes are astray. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { selfArgv } from "../../base/self.ts";
import { lines } from "../../base/streams.ts";
import { digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import { imageManifest } from "../testing.ts";

async function start(root: string) {
  const flags = ["--root", root, "--listen", "127.0.0.1:0", "--log-access=false"];
  const child = Bun.spawn(selfArgv("registry", "serve", ...flags), { stdout: "ignore", stderr: "pipe" });
  for await (const line of lines(child.stderr)) {
    const url = /url="([^"]+)"/.exec(line)?.[1];
    if (url !== undefined) return { child, url };
  }
  throw new Error("the registry did not start");
}

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

test("kill -9 loses no acknowledged tag", async () => {
  const root = mkdtempSync(join(tmpdir(), "gantry-registry-crash-"));
  const acknowledged = new Map<string, string>();
  let running = await start(root);
  try {
    for (let round = 0; round < 4; round++) {
      const { child, url } = running;
      const pusher = async (at: number) => {
        for (let count = 0; child.exitCode === null && child.signalCode === null; count++) {
          const tag = `r${round}-${at}-${count}`;
          const layer = `${tag} ${"content ".repeat(20_000)}`;
          if (await push(url, tag, layer).catch(() => false)) acknowledged.set(tag, layer);
        }
      };
      const pushers = Promise.all([0, 1, 2].map(pusher));
      await Bun.sleep(250 + Math.random() * 200);
      child.kill("SIGKILL");
      await child.exited;
      await pushers;
      running = await start(root);
      for (const [tag, layer] of acknowledged) await expectPullable(running.url, tag, layer);
    }
    expect(acknowledged.size).toBeGreaterThan(8);
  } finally {
    running.child.kill("SIGKILL");
    await running.child.exited;
    rmSync(root, { recursive: true, force: true });
  }
}, 30_000);
