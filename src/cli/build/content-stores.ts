/**
 * OCI layouts of this machine that a build reads and writes: `type=local` caches, `oci-layout://` contexts, `type=oci,tar=false` outputs. The
 * daemon reads and writes content by digest (serve-content.ts); which of it a name means stands in the layout's index.json, which is this
 * side's. Source: moby/buildkit client/solve.go, client/ociindex.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { errorCode } from "../../base/errors.ts";
import type { CacheOptionsEntry } from "../../buildkit-api/protocol/messages.ts";
import { type Descriptor, mediaTypes, parseManifest } from "../../oci/manifest.ts";
import { CliError } from "../command.ts";

const nameKey = "org.opencontainers.image.ref.name";

interface Update {
  directory: string;
  /** The manifest, as the build's response describes it. */
  read(response: Record<string, string>): Descriptor | undefined;
  names(response: Record<string, string>): Record<string, string>[];
}

export class ContentStores {
  /** Name, as the daemon asks for it → directory. */
  readonly directories = new Map<string, string>();
  private readonly updates: Update[] = [];

  /** `--cache-to`; the entry is what the daemon is told. */
  exportCache(entry: CacheOptionsEntry): CacheOptionsEntry {
    if (entry.Type !== "local") return entry;
    const { dest = "", tag = "latest" } = entry.Attrs;
    if (dest === "") throw new CliError("local cache exporter requires dest");
    const directory = this.serve(`local:${dest}`, dest);
    this.updates.push({
      directory,
      read: ({ "cache.manifest": text }) => (text ? (JSON.parse(text) as Descriptor) : undefined),
      names: () => [{ [nameKey]: tag }],
    });
    return entry;
  }

  /** `--cache-from`; undefined: there is no such cache, which is no error. */
  importCache(entry: CacheOptionsEntry): CacheOptionsEntry | undefined {
    if (entry.Type !== "local") return entry;
    const { src = "", tag = "latest", digest = findDigest(src, tag) } = entry.Attrs;
    if (src === "") throw new CliError("local cache importer requires src");
    if (digest === undefined) return undefined;
    this.serve(`local:${src}`, src);
    return { Type: "local", Attrs: { src, digest } };
  }

  /** `DIRECTORY[:TAG|@DIGEST]` → the address that the daemon is given. Throws a CliError for what is not there. */
  context(layout: string): string {
    const [, directory = "", tag = "latest", given] =
      /^(.*?)(?::([^/@:]+))?(?:@(sha256:[a-f0-9]+))?$/.exec(layout) ?? [];
    const digest = given ?? findDigest(directory, tag);
    if (digest === undefined) throw new CliError(`failed to resolve oci-layout ${layout}: no image ${tag} is in it`);
    const store = crypto.randomUUID();
    this.serve(`oci:${store}`, directory);
    return `oci-layout://${store}:${tag}@${digest}`;
  }

  /** An output that is a layout. */
  output(directory: string): void {
    this.updates.push({
      directory: this.serve("export", directory),
      read: ({ "containerimage.descriptor": text }) =>
        text ? (JSON.parse(Buffer.from(text, "base64").toString()) as Descriptor) : undefined,
      names: ({ "image.name": names = "" }) => {
        const given = names.split(",").filter(Boolean);
        if (given.length === 0) return [{ [nameKey]: "latest" }];
        return given.map((name) => ({ "io.containerd.image.name": name, [nameKey]: name.split(":").at(-1) ?? "" }));
      },
    });
  }

  /** The build has succeeded: what it wrote gets its names. */
  finish(response: Record<string, string>): void {
    for (const { directory, read, names } of this.updates) {
      const descriptor = read(response);
      if (descriptor) putNames(directory, descriptor, names(response));
    }
  }

  private serve(name: string, path: string): string {
    const directory = resolve(path);
    this.directories.set(name, directory);
    return directory;
  }
}

function readIndex(directory: string): Descriptor[] {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(join(directory, "index.json"));
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(error) ?? "")) return [];
    throw error;
  }
  const parsed = parseManifest(bytes);
  if (!("index" in parsed)) throw new CliError(`${join(directory, "index.json")} is not an image index`);
  return parsed.index.manifests;
}

function findDigest(directory: string, tag: string): string | undefined {
  if (directory === "") return undefined;
  return readIndex(directory).findLast(({ annotations }) => annotations?.[nameKey] === tag)?.digest;
}

function putNames(directory: string, descriptor: Descriptor, names: readonly Record<string, string>[]): void {
  const taken = new Set(names.map((annotations) => annotations[nameKey]));
  const others = readIndex(directory).filter(({ annotations }) => !taken.has(annotations?.[nameKey] ?? ""));
  const manifests = [...others, ...names.map((annotations) => ({ ...descriptor, annotations }))];
  mkdirSync(directory, { recursive: true });
  replace(join(directory, "oci-layout"), { imageLayoutVersion: "1.0.0" });
  replace(join(directory, "index.json"), { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
}

/** Whoever reads it meanwhile reads the old one or the new one. */
function replace(path: string, value: object): void {
  const next = `${path}.${process.pid}`;
  writeFileSync(next, JSON.stringify(value));
  renameSync(next, path);
}
