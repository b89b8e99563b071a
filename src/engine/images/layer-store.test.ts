/** Images over the real layer store: what the one in memory cannot show. */
import { expect, test } from "bun:test";
import { existsSync, lstatSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Logger } from "../../base/log.ts";
import { LocalContentStore } from "../../content/local-content-store.ts";
import { Database } from "../../metadata/database.ts";
import { digestOf, hexOf } from "../../oci/digest.ts";
import { Registries } from "../../remote/registries.ts";
import { DirectoryLayerStore } from "../../snapshots/directory-layer-store.ts";
import { Trash } from "../../snapshots/trash.ts";
import { Images } from "./images.ts";
import { stream, tarOf } from "./testing.ts";

const signal = new AbortController().signal;

async function withImages(
  work: (parts: { images: Images; layers: DirectoryLayerStore; root: string }) => Promise<void>,
) {
  const root = mkdtempSync(join(tmpdir(), "gantry-images-"));
  using database = new Database(join(root, "metadata.db"));
  const content = new LocalContentStore(join(root, "content"), database);
  const layers = new DirectoryLayerStore(root, database, new Trash(join(root, "trash"), new Logger("error")));
  const usage = () => ({ usingImage: () => [], mountingImage: () => [], layersInUse: () => [] });
  const spoolDirectory = join(root, "spool");
  const events = { publish: () => {} };
  const registries = new Registries({ mirrors: [], insecure: [] });
  const transfers = { downloads: 3, uploads: 5, attempts: 3 };
  const images = new Images({
    database,
    content,
    layers,
    events,
    usage,
    spoolDirectory,
    registries,
    transfers,
    version: "test",
  });
  try {
    await work({ images, layers, root });
  } finally {
    await layers.close();
    rmSync(root, { recursive: true, force: true });
  }
}

/** As the program of that name compresses. */
function compress(program: string, content: Uint8Array): Uint8Array {
  return Bun.spawnSync([program, "-c"], { stdin: new Uint8Array(content) }).stdout;
}

test("import takes any compression, and save gives the plain layer back", async () => {
  await withImages(async ({ images, layers }) => {
    const programs = ["gzip", "xz"].filter((program) => Bun.which(program));
    await Promise.all(
      programs.map(async (program) => {
        const archive = tarOf({ [program]: program.repeat(1000) });
        const options = { repo: program, message: "", changes: [], progress: () => {}, signal };
        await images.import("-", stream(compress(program, archive)), options);
        expect(images.resolve(program).layers).toEqual([digestOf(archive)]);
        expect((await images.inspect(program, {})).Size).toBe(program.length * 1000);
      }),
    );
    const chunks: Uint8Array[] = [];
    for await (const chunk of await images.save(programs, { signal })) chunks.push(chunk.slice());
    const before = layers.list();
    await images.prune({ dangling: ["false"] });
    expect(layers.list()).toEqual([]);
    await images.load(stream(Buffer.concat(chunks), 65_536), { quiet: true, progress: () => {}, signal });
    expect(layers.list()).toEqual(before);
  });
}, 30_000);

test("a load whose layer is corrupt is refused and leaves nothing", async () => {
  await withImages(async ({ images, layers, root }) => {
    const whole = compress("gzip", tarOf({ a: "x".repeat(100_000) }));
    const manifest = [{ Config: "c.json", RepoTags: ["a:1"], Layers: ["l/layer.tar"] }];
    const config = { rootfs: { type: "layers", diff_ids: [`sha256:${"a".repeat(64)}`] } };
    const archive = tarOf({ "l/layer.tar": whole.subarray(0, 100), "c.json": config, "manifest.json": manifest });
    const load = images.load(stream(archive), { quiet: true, progress: () => {}, signal });
    await expect(load).rejects.toThrow("unexpected EOF");
    expect(layers.list()).toEqual([]);
    expect(existsSync(join(root, "spool")) && statSync(join(root, "spool")).isDirectory()).toBe(true);
    await images.reconcile();
    expect(existsSync(join(root, "spool"))).toBe(false);
  });
});

test.skipIf(!existsSync("/bin/busybox"))("the bundled image has a root with every applet", async () => {
  await withImages(async ({ images, layers }) => {
    const signal = new AbortController().signal;
    await images.pull("gantry/busybox", { tag: "latest", credentials: {}, signal, progress() {} });
    const [layer = ""] = images.resolve("gantry/busybox").layers;
    const root = layers.path(layer);
    expect(lstatSync(join(root, "bin/sh")).ino).toBe(lstatSync(join(root, "bin/busybox")).ino);
    expect(statSync(join(root, "tmp")).mode & 0o7777).toBe(0o1777);
    expect(existsSync(join(root, "etc/passwd"))).toBe(true);
    expect(hexOf(layer)).toHaveLength(64);
    const run = Bun.spawnSync([
      "chroot",
      root,
      "/bin/sh",
      "-c",
      "echo $(id -u) $(ls /usr/bin | grep -c .) | cut -d' ' -f1",
    ]);
    expect(run.stdout.toString()).toBe("0\n");
  });
});
