/** A registry in this process, for tests: blobs and manifests in memory, and faults as asked for. */
import { digestOf } from "../../../oci/digest.ts";
import { mediaTypes } from "../../../oci/manifest.ts";
import { tarOf } from "../testing.ts";

export interface Asked {
  method: string;
  path: string;
  range: string | null;
  authorization: string | null;
}

export class FakeRegistry implements AsyncDisposable {
  readonly blobs = new Map<string, Uint8Array>();
  readonly manifests = new Map<string, { type: string; bytes: Uint8Array }>();
  readonly asked: Asked[] = [];
  /** Bytes of blobs that were sent. */
  sent = 0;
  /** Answers instead of the registry. */
  intercept: (request: Request, path: string) => Response | Promise<Response> | undefined = () => undefined;
  /** After how many bytes the connection of a blob breaks; undefined: never. */
  cut: () => number | undefined = () => undefined;
  private readonly server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => this.answer(request) });

  get host(): string {
    return `127.0.0.1:${this.server.port}`;
  }

  /** An image of one layer per content, under a tag; returns the manifest's digest. */
  addImage(tag: string, contents: string[], config: object = {}): string {
    const tars = contents.map((content) => tarOf({ file: content }));
    const layers = tars.map((tar) => this.addBlob(Bun.gzipSync(new Uint8Array(tar)), mediaTypes.dockerLayerGzip));
    const rootfs = { type: "layers", diff_ids: tars.map((tar) => digestOf(tar)) };
    const bytes = Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64", config: {}, rootfs, ...config }));
    const described = this.addBlob(bytes, mediaTypes.dockerConfig);
    return this.addManifest(tag, { schemaVersion: 2, mediaType: mediaTypes.dockerManifest, config: described, layers });
  }

  addBlob(bytes: Uint8Array, mediaType: string) {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  addManifest(tag: string, manifest: { mediaType: string } & Record<string, unknown>): string {
    const bytes = Buffer.from(JSON.stringify(manifest));
    const digest = digestOf(bytes);
    for (const name of [tag, digest]) this.manifests.set(name, { type: manifest.mediaType, bytes });
    return digest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop(true);
  }

  private async answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const path = pathname.replace(/^\/v2\/[^/]+/, "");
    const [range, authorization] = [request.headers.get("Range"), request.headers.get("Authorization")];
    this.asked.push({ method: request.method, path: pathname, range, authorization });
    const instead = await this.intercept(request, pathname);
    if (instead) return instead;
    if (pathname === "/v2/") return new Response("{}");
    const [, kind, name = ""] = path.split("/");
    if (kind === "tags")
      return Response.json({ name: "x", tags: [...this.manifests.keys()].filter((key) => !key.includes(":")) });
    if (kind === "manifests") return this.manifest(name);
    return this.blob(name, range);
  }

  private manifest(name: string): Response {
    const found = this.manifests.get(name);
    if (!found) return refuse(404, "MANIFEST_UNKNOWN", "manifest unknown");
    const headers = { "Content-Type": found.type, "Docker-Content-Digest": digestOf(found.bytes) };
    return new Response(new Uint8Array(found.bytes), { headers });
  }

  private blob(digest: string, range: string | null): Response {
    const bytes = this.blobs.get(digest);
    if (!bytes) return refuse(404, "BLOB_UNKNOWN", "blob unknown to registry");
    const start = Number(/^bytes=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
    const rest = bytes.subarray(start);
    const cut = this.cut();
    const sent = cut === undefined ? rest : rest.subarray(0, cut);
    this.sent += sent.length;
    const broken = sent.length < rest.length;
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        if (sent.length > 0) controller.enqueue(new Uint8Array(sent));
        if (!broken) return controller.close();
        await Bun.sleep(5);
        return controller.error(new Error("cut"));
      },
    });
    const headers = { "Content-Range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
    return new Response(body, { status: range === null ? 200 : 206, headers });
  }
}

export function refuse(status: number, code: string, message: string, headers: Record<string, string> = {}): Response {
  return Response.json({ errors: [{ code, message }] }, { status, headers });
}
