import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Digest } from "../../../oci/digest.ts";
import { digestOf } from "../../../oci/digest.ts";
import type { Repository } from "../../../remote/repository.ts";
import { VolumeData } from "../data.ts";
import { ScratchVolumes } from "../scratch-volumes.ts";
import { SnapshotStore } from "../snapshots/snapshot-store.ts";
import { VolumeSnapshots } from "../snapshots/snapshots.ts";
import type { VolumeStore } from "../volume-store.ts";
import { VolumeArchives } from "./archives.ts";
import { VolumeArtifacts } from "./artifacts.ts";

/** A repository in memory whose connections may break off after so many bytes. */
class MemoryRepository {
  readonly blobs = new Map<Digest, Buffer>();
  manifestBytes = Buffer.alloc(0);
  breakAfter = Number.POSITIVE_INFINITY;

  async hasBlob(digest: Digest) {
    return this.blobs.has(digest);
  }
  async upload({ digest, open }: { digest: Digest; open(offset: number): AsyncIterable<Uint8Array> }) {
    this.blobs.set(digest, Buffer.concat(await Array.fromAsync(open(0))));
  }
  async putManifest(_tag: string, _type: string, bytes: Uint8Array) {
    this.manifestBytes = Buffer.from(bytes);
  }
  async manifest() {
    return { bytes: this.manifestBytes, digest: digestOf(this.manifestBytes), mediaType: "" };
  }
  async openBlob(digest: Digest, offset: number) {
    const rest = (this.blobs.get(digest) as Buffer).subarray(offset);
    const limit = this.breakAfter;
    async function* body() {
      yield rest.subarray(0, limit);
      if (rest.length > limit) throw new Error("connection reset");
    }
    return { start: offset, body: body() };
  }
}

let scratch: ScratchVolumes;
let store: VolumeStore;
let repository: MemoryRepository;
let artifacts: VolumeArtifacts;

beforeEach(() => {
  scratch = new ScratchVolumes();
  const { volumes, database, directory } = scratch;
  ({ store } = volumes);
  const data = new VolumeData(volumes, { whileStill: (_, work) => work(), whileIdle: (_, work) => work() });
  const snapshots = new VolumeSnapshots(new SnapshotStore(database, join(directory, "snapshots")), data);
  repository = new MemoryRepository();
  artifacts = new VolumeArtifacts(new VolumeArchives(snapshots, data), data, {
    visit: (_reference, _purpose, _credentials, _signal, work) => work(repository as unknown as Repository),
  });
});

afterEach(() => scratch[Symbol.dispose]());

const options = () => ({ credentials: {}, progress: () => undefined, signal: new AbortController().signal });

async function pushed(): Promise<Buffer> {
  store.create({ name: "data", labels: { team: "blue" } });
  const content = Buffer.from(crypto.getRandomValues(new Uint8Array(5000)));
  writeFileSync(join(store.dataPath("data"), "f"), content);
  await artifacts.push("data", "registry.example/v:1", options());
  return content;
}

test("a pull goes on where the connection broke, and makes the volume with its labels", async () => {
  const content = await pushed();
  repository.breakAfter = 1500;
  await artifacts.pull("copy", "registry.example/v:1", { replace: false }, options());
  expect(readFileSync(join(store.dataPath("copy"), "f")).equals(content)).toBe(true);
  expect(store.get("copy").labels).toEqual({ team: "blue" });
});

test("a blob that is not what its digest says makes no volume", async () => {
  await pushed();
  const manifest = JSON.parse(repository.manifestBytes.toString());
  const blob = repository.blobs.get(manifest.layers[0].digest) as Buffer;
  // The time in gzip's header: gzip itself sees nothing wrong.
  blob.writeUInt32LE(1, 4);
  const pull = artifacts.pull("copy", "registry.example/v:1", { replace: false }, options());
  await expect(pull).rejects.toThrow("volume verification failed for digest sha256:");
  expect(store.find("copy")).toBeUndefined();
});

test("what is no volume is not taken for one", async () => {
  await pushed();
  const manifest = JSON.parse(repository.manifestBytes.toString());
  repository.manifestBytes = Buffer.from(JSON.stringify({ ...manifest, artifactType: "application/vnd.example" }));
  const pull = artifacts.pull("copy", "registry.example/v:1", { replace: false }, options());
  await expect(pull).rejects.toThrow("registry.example/v:1 is not a volume");
});
