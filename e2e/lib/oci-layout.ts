/** OCI image layouts made by hand: images of any content for any platforms, which registries and clients take as they are. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface LayoutImage {
  architecture: string;
  /** Gzipped tar archives, base first. */
  layers: Uint8Array[];
  /** How the layers are kept in the layout, if not as they are. */
  compression?: "zstd" | "none";
  cmd?: string[];
}

interface Described {
  mediaType: string;
  digest: string;
  size: number;
}

const types = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
};

/** A gzipped archive of files, each executable. */
export async function layerOf(files: Record<string, string | Uint8Array>): Promise<Uint8Array> {
  const entries = Object.entries(files).map(([name, content]) => tarEntry(name, Buffer.from(content)));
  return Bun.gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]), { level: 1 });
}

/** A layer with a static busybox alone. */
export function busyboxLayer(): Promise<Uint8Array> {
  return layerOf({ "bin/busybox": readFileSync("/bin/busybox") });
}

/** Writes a layout in which `tag` is one image, or an index of several with an attestation; returns what the tag stands for. */
export function writeLayout(
  directory: string,
  tag: string,
  images: LayoutImage[],
): Described & { manifests: Described[] } {
  mkdirSync(join(directory, "blobs/sha256"), { recursive: true });
  const add = (bytes: Uint8Array, mediaType: string): Described => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(directory, "blobs/sha256", hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const json = (value: object, mediaType: string) => add(Buffer.from(JSON.stringify(value)), mediaType);
  const manifests = images.map(({ architecture, layers, compression, cmd = ["/bin/busybox", "sh"] }) => {
    const diffIds = layers.map(
      (layer) =>
        `sha256:${createHash("sha256")
          .update(Bun.gunzipSync(new Uint8Array(layer)))
          .digest("hex")}`,
    );
    const config = json(
      { os: "linux", architecture, config: { Cmd: cmd }, rootfs: { type: "layers", diff_ids: diffIds } },
      types.config,
    );
    const described = layers.map((layer) => {
      if (compression === undefined) return add(layer, `${types.layer}+gzip`);
      const plain = Bun.gunzipSync(new Uint8Array(layer));
      return compression === "none" ? add(plain, types.layer) : add(Bun.zstdCompressSync(plain), `${types.layer}+zstd`);
    });
    return json({ schemaVersion: 2, mediaType: types.manifest, config, layers: described }, types.manifest);
  });
  const [first] = manifests;
  const top =
    manifests.length === 1
      ? (first as Described)
      : json(
          {
            schemaVersion: 2,
            mediaType: types.index,
            manifests: [
              ...manifests.map((manifest, index) => ({
                ...manifest,
                platform: { os: "linux", architecture: images[index]?.architecture },
              })),
              attestation(json, first as Described),
            ],
          },
          types.index,
        );
  writeFileSync(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const named = { ...top, annotations: { "org.opencontainers.image.ref.name": tag } };
  writeFileSync(join(directory, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  return { ...top, manifests };
}

/** As BuildKit adds one for each platform. */
function attestation(json: (value: object, mediaType: string) => Described, of: Described): object {
  const layer = json({ _type: "https://in-toto.io/Statement/v0.1" }, "application/vnd.in-toto+json");
  const config = json(
    { os: "unknown", architecture: "unknown", rootfs: { type: "layers", diff_ids: [] } },
    types.config,
  );
  return {
    ...json({ schemaVersion: 2, mediaType: types.manifest, config, layers: [layer] }, types.manifest),
    platform: { os: "unknown", architecture: "unknown" },
    annotations: { "vnd.docker.reference.digest": of.digest, "vnd.docker.reference.type": "attestation-manifest" },
  };
}

function tarEntry(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write("0000755\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.write("        0", 148);
  header.write("ustar\x0000", 257);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}
