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
  /** Bytes that uploads said they would bring. */
  received = 0;
  private sessions = 0;
  private readonly uploads = new Map<string, Buffer>();
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

  /** An index of one image per architecture, each with a layer of its own on a common one; returns its digest. */
  addIndex(tag: string, architectures: string[]): string {
    const manifests = architectures.map((architecture) => {
      const digest = this.addImage(architecture, ["common", architecture], { architecture });
      const size = this.manifests.get(digest)?.bytes.length;
      return { mediaType: mediaTypes.dockerManifest, digest, size, platform: { os: "linux", architecture } };
    });
    return this.addManifest(tag, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
  }

  addBlob(bytes: Uint8Array, mediaType: string) {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  addManifest(tag: string, manifest: { mediaType: string } & Record<string, unknown>): string {
    return this.addBytes(tag, manifest.mediaType, JSON.stringify(manifest));
  }

  /** What a manifest should not be, too. */
  addBytes(tag: string, type: string, text: string): string {
    const bytes = Buffer.from(text);
    const digest = digestOf(bytes);
    for (const name of [tag, digest]) this.manifests.set(name, { type, bytes });
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
    if (kind === "manifests") return request.method === "PUT" ? this.takeManifest(name, request) : this.manifest(name);
    if (name === "uploads") return this.upload(request);
    return this.blob(name, range);
  }

  private async takeManifest(name: string, request: Request): Promise<Response> {
    const bytes = await request.bytes();
    const type = request.headers.get("Content-Type") ?? "";
    for (const key of [name, digestOf(bytes)]) this.manifests.set(key, { type, bytes });
    return new Response("", { status: 201 });
  }

  /** One upload at a time for each session, which the query names. */
  private async upload(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const session = url.searchParams.get("session") ?? `${this.sessions++}`;
    const taken = Buffer.concat([this.uploads.get(session) ?? Buffer.alloc(0), await request.bytes()]);
    this.uploads.set(session, taken);
    this.received += request.method === "PATCH" ? Number(request.headers.get("Content-Length")) : 0;
    const digest = url.searchParams.get("digest");
    const headers = { Location: `${url.pathname}?session=${session}`, Range: `0-${Math.max(0, taken.length - 1)}` };
    if (request.method !== "PUT" || !digest) return new Response("", { status: 202, headers });
    if (digestOf(taken) !== digest)
      return refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    this.blobs.set(digest, taken);
    return new Response("", { status: 201, headers });
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
  return Response.json({ errors: [{ code, message, detail: {} }] }, { status, headers });
}
