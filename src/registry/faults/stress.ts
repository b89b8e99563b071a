/**
 * Pushes, pulls, deletes and collections against each other, over one or several instances, with a checker: what a client was told of is
 * there, and every acknowledged tag is pullable.
 */
import { expect } from "bun:test";
import { digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import { imageManifest, type TestRegistry } from "../testing.ts";

/** Shorter than the configuration allows. A lease is kept for up to half as long again. */
export const quick = { "gc.lease": 0.2, "uploads.lifetime": 0.2 };
/** For instances that wait for a database and a bucket: a push must not take longer than its lease. */
export const unhurried = { "gc.lease": 2, "uploads.lifetime": 10 };
export const expired = (config: { "gc.lease": number } = quick) => Bun.sleep(config["gc.lease"] * 1600);

export interface Outcome {
  readonly pushes: number;
  readonly checks: number;
  /** Blobs that collections freed. */
  readonly freed: number;
}

const pushers = 6;

/** Pushes as a client does: a blob that HEAD says exists is not uploaded. */
async function push(r: TestRegistry, name: string, tag: string, layer: string): Promise<void> {
  for (const content of [layer, "{}"]) {
    const known = await r.request("HEAD", `${name}/blobs/${digestOf(content)}`);
    if (known.status !== 200) await r.pushBlob(name, content);
    await Bun.sleep(Math.random() * 3);
  }
  const headers = { "content-type": mediaTypes.ociManifest };
  const answer = await r.request("PUT", `${name}/manifests/${tag}`, imageManifest(layer), headers);
  if (answer.status !== 201) throw new Error(`a promised blob was lost: ${await answer.text()}\n${r.log.at(-1) ?? ""}`);
}

async function checkPullable(r: TestRegistry, name: string, tag: string, layer: string): Promise<void> {
  const manifest = await r.request("GET", `${name}/manifests/${tag}`);
  expect(await manifest.text()).toBe(imageManifest(layer));
  for (const content of [layer, "{}"]) {
    const blob = await r.request("GET", `${name}/blobs/${digestOf(content)}`);
    expect([blob.status, await blob.text()]).toEqual([200, content]);
  }
}

/** Each request goes to any of the instances. */
export async function stress(
  instances: readonly TestRegistry[],
  seconds: number,
  config: { "gc.lease": number } = quick,
): Promise<Outcome> {
  const any = () => instances[Math.floor(Math.random() * instances.length)] as TestRegistry;
  const until = Date.now() + seconds * 1000;
  const outcome = { pushes: 0, checks: 0, freed: 0 };
  // Few layers, shared by all repositories, so that what one deletes another is just being told to exist.
  const pusher = async (at: number) => {
    const name = `stress/${at % 3}`;
    const tag = `t${at}`;
    for (let round = 0; Date.now() < until; round++) {
      const layer = `layer ${(at * 7 + round) % 5}`;
      await push(any(), name, tag, layer);
      outcome.pushes++;
      await checkPullable(any(), name, tag, layer);
      outcome.checks++;
      if (round % 2 === 0) await any().request("DELETE", `${name}/manifests/${tag}`);
      if (round % 10 === 9) await Bun.sleep(300);
    }
    await push(any(), name, tag, `layer ${at % 5}`);
  };
  const deleter = async () => {
    while (Date.now() < until) {
      // Manifests of a repository that no pusher checks; their blobs are shared with all.
      for (const layer of [`layer ${outcome.pushes % 5}`, `only once ${outcome.pushes}`]) {
        await push(any(), "victim", "v", layer);
        await any().request("DELETE", `victim/manifests/${digestOf(imageManifest(layer))}`);
      }
      await Bun.sleep(5);
    }
  };
  const collector = async (r: TestRegistry) => {
    while (Date.now() < until) {
      outcome.freed += (await r.registry.collect()).blobs;
      await Bun.sleep(5);
    }
  };
  const work = Array.from({ length: pushers }, (_, at) => pusher(at));
  await Promise.all([...work, deleter(), ...instances.map(collector)]);
  await expired(config);
  outcome.freed += (await any().registry.collect()).blobs;
  for (let at = 0; at < pushers; at++) await checkPullable(any(), `stress/${at % 3}`, `t${at}`, `layer ${at % 5}`);
  return outcome;
}
