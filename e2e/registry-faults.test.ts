/**
 * What a transfer may meet: connections cut at any byte, a daemon killed in the middle, a full disk, layers that want to get out. There is
 * never half an image, and what has come is not fetched again.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash, randomBytes, randomInt } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeArchive } from "../src/archive/tar/test-archive.ts";
import { CuttingProxy } from "../src/registry/faults/cutting-proxy.ts";
import { useTarget } from "./lib/journey.ts";
import { busyboxLayer, type LayoutImage, layerOf, writeLayout } from "./lib/oci-layout.ts";
import { TestRegistries } from "./lib/registries.ts";
import { until } from "./lib/run.ts";
import { Target } from "./lib/target.ts";

/** Many for a thorough run: 200 and 50. */
const cuts = Number(process.env["E2E_CUTS"] ?? 30);
const kills = Number(process.env["E2E_PULL_KILLS"] ?? 5);

const chunkSize = 1 << 20;
const [registryPort, proxyPort] = [5961, 5962];
const anywhere = { "insecure-registries": ["10.231.0.0/16"] };
let registries: TestRegistries;
let proxy: CuttingProxy;

// Before the target is looked after, which must find nothing left on its network.
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await registries?.stop();
});

const target = useTarget({ config: anywhere });
/** Of the registry itself, and by way of the proxy. */
let direct: string;
let name: string;
let bigLayers: Uint8Array[] = [];

beforeAll(async () => {
  const { host } = target();
  registries = new TestRegistries(target());
  direct = `${host.address}:${registryPort}`;
  await registries.start("docker-registry", direct);
  proxy = await CuttingProxy.open({ host: host.address, port: registryPort }, { host: host.gateway, port: proxyPort });
  name = `${host.gateway}:${proxyPort}`;
  bigLayers = [await busyboxLayer(), ...(await noiseLayers(4))];
  await publish("big", [{ architecture: "amd64", layers: bigLayers }]);
}, 120_000);

/** Layers of bytes that do not compress, some MB each, with their checksums. */
async function noiseLayers(count: number): Promise<Uint8Array[]> {
  const layers: Uint8Array[] = [];
  for (let index = 0; index < count; index++) {
    const content = randomBytes((2 + index) << 20);
    const sum = `${createHash("sha256").update(content).digest("hex")}  noise${index}\n`;
    layers.push(await layerOf({ [`noise${index}`]: content, [`sums${index}`]: sum }));
  }
  return layers;
}

/** Puts a hand-made image into the registry. */
async function publish(repository: string, images: LayoutImage[]): Promise<void> {
  const { root, host } = target();
  const directory = join(root, `layout-${repository}`);
  writeLayout(directory, "1", images);
  const to = `docker://${direct}/${repository}:1`;
  const flags = ["--insecure-policy", "copy", "-q", "--all", "--dest-tls-verify=false"];
  const { stderr, code } = await host.run("skopeo", ...flags, `oci:${directory}:1`, to);
  expect([stderr, code]).toEqual(["", 0]);
}

async function checkImage(image: string, count = 4): Promise<void> {
  const sums = Array.from({ length: count }, (_, index) => `sums${index}`).join(" ");
  const said = await target().must(
    "run",
    "--rm",
    "--network",
    "none",
    image,
    ...shell,
    `busybox cat ${sums} | busybox sha256sum -c`,
  );
  expect(said.split("\n")).toHaveLength(count);
}

/** The one program of the test images. */
const shell = ["/bin/busybox", "sh", "-c"];

async function forget(): Promise<void> {
  const ids = (await target().must("images", "-aq")).split("\n").filter(Boolean);
  if (ids.length > 0) await target().must("rmi", "-f", ...new Set(ids));
}

/** Compressed bytes of the image's layers that are on the disk: whole layers, or the beginnings of downloads. */
function bytesHere(): number {
  const ingests = join(target().dataRoot, "content/ingest");
  const begun = new Map(
    (existsSync(ingests) ? readdirSync(ingests) : []).map((entry) => {
      const [, digest = ""] = readFileSync(join(ingests, entry, "key"), "utf8").split(" ");
      return [digest, statSync(join(ingests, entry, "data"), { throwIfNoEntry: false })?.size ?? 0];
    }),
  );
  return bigLayers.reduce((sum, layer) => {
    const diffId = createHash("sha256")
      .update(Bun.gunzipSync(new Uint8Array(layer)))
      .digest("hex");
    if (existsSync(join(target().dataRoot, "layers", diffId))) return sum + layer.length;
    return sum + (begun.get(`sha256:${createHash("sha256").update(layer).digest("hex")}`) ?? 0);
  }, 0);
}

function ingestFiles(): string[] {
  const directory = join(target().dataRoot, "content/ingest");
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .map((entry) => join(directory, entry, "data"))
    .filter((path) => existsSync(path));
}

test("pulls go on over cut connections, and what comes is whole", async () => {
  const before = proxy.cuts;
  let size = 3_000_000;
  proxy.budget = () => (proxy.cuts - before < cuts ? randomInt(1, size) : undefined);
  let pulls = 0;
  while (proxy.cuts - before < cuts || pulls === 0) {
    await forget();
    // One that gives up leaves nothing, and is asked again.
    for (let attempt = 0; ; attempt++) {
      const { code, stderr } = await target().docker("pull", "-q", `${name}/big:1`);
      if (code === 0) break;
      expect(stderr).toMatch(/EOF|reset|stopped|closed/);
      expect(await target().must("images", "-aq")).toBe("");
      expect(attempt).toBeLessThan(50);
    }
    pulls++;
    await checkImage(`${name}/big:1`);
    // Small pieces, so that manifests are cut as well.
    size = size === 3_000_000 ? 20_000 : 3_000_000;
  }
  proxy.budget = () => undefined;
  expect(proxy.cuts - before).toBeGreaterThanOrEqual(cuts);
  expect(ingestFiles()).toEqual([]);
}, 600_000);

test("pushes go on over cut connections, and what arrives is whole", async () => {
  const { must, docker } = { must: target().must.bind(target()), docker: target().docker.bind(target()) };
  const before = proxy.cuts;
  await must("pull", "-q", `${name}/big:1`);
  let size = 3_000_000;
  proxy.budget = () => (proxy.cuts - before < cuts ? randomInt(1, size) : undefined);
  for (let push = 0; proxy.cuts - before < cuts || push === 0; push++) {
    // A layer that no repository has, of which nothing is known.
    const fresh = `fresh${push}`;
    await must(
      "run",
      "--name",
      fresh,
      "--network",
      "none",
      `${name}/big:1`,
      ...shell,
      "busybox head -c 3000000 /dev/urandom >/own; busybox sha256sum own >/sums4",
    );
    await must("commit", fresh, `${name}/pushed:${push}`);
    await must("rm", fresh);
    for (let attempt = 0; ; attempt++) {
      const { code, stderr } = await docker("push", "-q", `${name}/pushed:${push}`);
      if (code === 0) break;
      expect(stderr).toMatch(/EOF|reset|stopped|closed|unknown blob|blob upload unknown/);
      expect(attempt).toBeLessThan(50);
    }
    await must("rmi", `${name}/pushed:${push}`);
    await must("pull", "-q", `${direct}/pushed:${push}`);
    await checkImage(`${direct}/pushed:${push}`, 5);
    await must("rmi", `${direct}/pushed:${push}`);
    size = size === 3_000_000 ? 20_000 : 3_000_000;
  }
  proxy.budget = () => undefined;
}, 600_000);

test("a daemon killed in the middle of a pull: none or all of the image, and the rest alone is fetched", async () => {
  await forget();
  const whole = await pullBytes();
  for (let round = 0; round < kills; round++) {
    await forget();
    // At any point between the first byte and the last.
    const limit = randomInt(1, whole);
    const from = proxy.received;
    const reached = Promise.withResolvers<void>();
    proxy.onReceive = () => {
      if (proxy.received - from < limit) return undefined;
      reached.resolve();
      return Bun.sleep(50);
    };
    const pulling = target().docker("pull", "-q", `${name}/big:1`);
    await Promise.race([reached.promise, pulling]);
    await target().stopDaemon("SIGKILL");
    await pulling;
    proxy.onReceive = () => undefined;
    const kept = bytesHere();
    await target().startDaemon();
    const listed = await target().must("images", "-q");
    if (listed !== "") await checkImage(`${name}/big:1`);
    const fetched = await pullBytes();
    // Manifests, config and heads of answers are asked for again.
    if (listed === "") expect(fetched).toBeLessThan(whole - kept + chunkSize);
    await checkImage(`${name}/big:1`);
    expect(ingestFiles()).toEqual([]);
    expect(readdirSync(join(target().dataRoot, "layers/.new"))).toEqual([]);
  }
}, 600_000);

/** Bytes of the registry that a pull takes. */
async function pullBytes(): Promise<number> {
  const before = proxy.received;
  await target().must("pull", "-q", `${name}/big:1`);
  return proxy.received - before;
}

test("a full disk: a clear error, nothing is left, and what fits can be pulled", async () => {
  const small = await Target.start({ dataSize: 24 << 20, config: anywhere });
  try {
    const { host } = target();
    // The small target lives on a host of its own: the registry is beside it, by way of the real host.
    const from = `${host.gateway}:${proxyPort}`;
    const free = () => {
      const { bavail, bsize } = statfsSync(small.dataRoot);
      return bavail * bsize;
    };
    const before = free();
    const failed = await small.docker("pull", `${from}/big:1`);
    expect(failed.code).toBe(1);
    expect(failed.stdout + failed.stderr).toMatch(/no space left on device/i);
    expect(await small.must("images", "-q", `${from}/big`)).toBe("");
    await publish("fits", [{ architecture: "amd64", layers: [await layerOf({ file: "small" })] }]);
    await until("the space to be free again", () => free() > before - (1 << 20));
    await small.must("pull", "-q", `${from}/fits:1`);
  } finally {
    await small.stop();
  }
}, 120_000);

test("layers that want to get out of their directory, and blobs that are not what they say", async () => {
  const { host, root } = target();
  const gz = (entries: Parameters<typeof makeArchive>[0]) => Bun.gzipSync(new Uint8Array(makeArchive(entries)));
  const victim = join(root, "victim");
  writeFileSync(victim, "untouched");
  const up = "../".repeat(20);
  const attacks: Record<string, Uint8Array> = {
    absolute: gz([{ name: victim, content: "overwritten" }]),
    dotdot: gz([{ name: `${up}${victim.slice(1)}`, content: "overwritten" }]),
    symlink: gz([
      { name: "out", flag: "2", link: root },
      { name: "out/victim", content: "overwritten" },
    ]),
    relative: gz([
      { name: "out", flag: "2", link: `${up}${root.slice(1)}` },
      { name: "out/victim", content: "overwritten" },
    ]),
    hardlink: gz([
      { name: "own", flag: "1", link: `${up}${victim.slice(1)}` },
      { name: "own", content: "overwritten" },
    ]),
  };
  for (const [attack, layer] of Object.entries(attacks)) {
    await publish(attack, [{ architecture: "amd64", layers: [layer] }]);
    const { code, stdout, stderr } = await target().docker("pull", `${direct}/${attack}:1`);
    // What stays inside is an image like any other.
    if (code !== 0) expect(stdout + stderr).toMatch(/failed to register layer|invalid/);
    expect([attack, await Bun.file(victim).text(), lstatSync(victim).nlink]).toEqual([attack, "untouched", 1]);
  }
  expect((await host.run("curl", "-s", `http://${direct}/v2/`)).code).toBe(0);
  expect(await target().must("version", "-f", "{{.Server.Version}}")).not.toBe("");
}, 120_000);
