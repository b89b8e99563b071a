/** What the tests of this folder share: images over a layer store in memory, and hand-made archives. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ProgressMessage } from "../../api/system.ts";
import { LocalContentStore } from "../../content/local-content-store.ts";
import { Database } from "../../metadata/database.ts";
import { Registries } from "../../remote/registries.ts";
import { tarEnd, tarHeader, tarPadding } from "./archive/tar-write.ts";
import { Images, type ImagesDependencies } from "./images.ts";
import { MemoryLayers } from "./memory-layers.ts";
import type { PullOptions } from "./transfer/pull.ts";

export interface TestContainer {
  id: string;
  image: string;
  running: boolean;
  layers: string[];
}

export class TestImages implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), "gantry-images-"));
  readonly database = new Database(":memory:");
  readonly layers = new MemoryLayers();
  readonly containers: TestContainer[] = [];
  /** Containers that mount an image. */
  readonly mounting: { id: string; image: string }[] = [];
  /** `action name`, and the id's first digits where the name is the id. */
  readonly events: string[] = [];
  readonly content = new LocalContentStore(join(this.root, "content"), this.database);
  readonly images: Images;

  constructor(more: { registries?: Registries } = {}) {
    this.images = new Images({ ...this.dependencies(), ...more });
  }

  private dependencies(): ImagesDependencies {
    return {
      database: this.database,
      content: this.content,
      layers: this.layers,
      events: {
        publish: ({ action, id, attributes }) => {
          this.events.push(`${action} ${attributes?.["name"] === id ? "id" : (attributes?.["name"] ?? "")}`.trim());
        },
      },
      usage: () => ({
        usingImage: (id) =>
          this.containers
            .filter((container) => container.image === id)
            .map((container) => ({ ...container, name: "c" })),
        mountingImage: (id) => this.mounting.filter(({ image }) => image === id).map((container) => container.id),
        layersInUse: () => this.containers.map((container) => container.layers),
      }),
      spoolDirectory: join(this.root, "spool"),
      registries: new Registries({ mirrors: [], insecure: [] }),
      transfers: { downloads: 3, uploads: 5, attempts: 3 },
      version: "test",
    };
  }

  /** Imports a layer of one file; returns the id. */
  async import(name: string | undefined, changes: string[] = [], content = name ?? "content"): Promise<string> {
    const [repo, tag] = (name ?? "").split(":");
    const archive = tarOf({ file: content });
    const messages: ProgressMessage[] = [];
    await this.images.import("-", stream(archive), {
      repo,
      tag,
      message: "",
      changes,
      progress: (message) => messages.push(message),
      signal: new AbortController().signal,
    });
    return messages.at(-1)?.status ?? "";
  }

  /** Loads an archive; returns the lines it said. */
  async load(archive: Uint8Array, chunkSize?: number): Promise<string[]> {
    const lines: string[] = [];
    await this.images.load(stream(archive, chunkSize), {
      quiet: true,
      progress: (message) => lines.push((message.stream ?? "").trimEnd()),
      signal: new AbortController().signal,
    });
    return lines;
  }

  /** Pulls; returns what it said. */
  async pull(name: string, more: Partial<PullOptions> = {}): Promise<string[]> {
    const said: string[] = [];
    await this.images.pull(name, {
      credentials: {},
      signal: new AbortController().signal,
      progress: ({ id, status = "" }) => said.push(id === undefined ? status : `${id}: ${status}`),
      ...more,
    });
    return said;
  }

  async save(...names: string[]): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    const body = await this.images.save(names, { signal: new AbortController().signal });
    for await (const chunk of body) chunks.push(chunk.slice());
    return Buffer.concat(chunks);
  }

  /** A container of the image; returns its id. */
  addContainer(image: string, running = false): string {
    const id = `${this.containers.length + 1}`.repeat(64);
    this.containers.push({ id, image, running, layers: this.images.resolve(image).layers });
    return id;
  }

  [Symbol.dispose](): void {
    this.database.close();
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** A tar archive of regular files, in the order given. */
export function tarOf(files: Record<string, string | Uint8Array | object>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, value] of Object.entries(files)) {
    const content =
      value instanceof Uint8Array ? value : Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
    parts.push(tarHeader(name, content.length, 0), content, tarPadding(content.length));
  }
  return Buffer.concat([...parts, tarEnd()]);
}

export async function* stream(content: Uint8Array, chunkSize = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += chunkSize) yield content.subarray(at, at + chunkSize);
}
