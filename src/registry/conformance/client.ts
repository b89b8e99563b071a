/** For the conformance tests: content with its digest, and the ways in which clients push it. */
import { expect } from "bun:test";
import { digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import { errorCodes, type TestRegistry } from "../testing.ts";

export type DigestAlgorithm = "sha256" | "sha512";

export interface Content {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly digest: string;
  readonly mediaType: string;
  readonly descriptor: { mediaType: string; digest: string; size: number };
}

export function random(size: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(size));
}

function contentOf(content: string | Uint8Array<ArrayBuffer>, mediaType: string, algorithm: DigestAlgorithm): Content {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const digest = digestOf(bytes, algorithm);
  return { bytes, digest, mediaType, descriptor: { mediaType, digest, size: bytes.length } };
}

export function blobOf(content: string | Uint8Array<ArrayBuffer>, algorithm: DigestAlgorithm = "sha256"): Content {
  return contentOf(content, "application/octet-stream", algorithm);
}

export function imageOf(
  config: Content,
  layers: readonly Content[],
  more: object = {},
  algorithm: DigestAlgorithm = "sha256",
): Content {
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { ...config.descriptor, mediaType: mediaTypes.ociConfig },
    layers: layers.map((layer) => ({ ...layer.descriptor, mediaType: mediaTypes.ociLayerGzip })),
    ...more,
  };
  return contentOf(JSON.stringify(manifest), mediaTypes.ociManifest, algorithm);
}

export function indexOf(
  manifests: readonly Content[],
  more: object = {},
  algorithm: DigestAlgorithm = "sha256",
): Content {
  const index = {
    ...{ schemaVersion: 2, mediaType: mediaTypes.ociIndex },
    manifests: manifests.map((manifest) => manifest.descriptor),
    ...more,
  };
  return contentOf(JSON.stringify(index), mediaTypes.ociIndex, algorithm);
}

export class Client {
  private readonly registry: TestRegistry;

  constructor(registry: TestRegistry) {
    this.registry = registry;
  }

  send: TestRegistry["request"] = (...request) => this.registry.request(...request);

  codes(response: Response): Promise<string[]> {
    return errorCodes(response);
  }

  postBlob(repository: string, { bytes, digest }: Content): Promise<Response> {
    return this.send("POST", `${repository}/blobs/uploads/?digest=${digest}`, bytes);
  }

  async postPutBlob(repository: string, blob: Content): Promise<Response> {
    return this.finish(await this.send("POST", `${repository}/blobs/uploads/`), blob);
  }

  /** The PUT that sends all and ends an upload. */
  finish(begun: Response, { bytes, digest }: Content): Promise<Response> {
    expect(begun.status).toBe(202);
    return this.send("PUT", withDigest(begun.headers.get("location"), digest), bytes);
  }

  async streamedBlob(repository: string, { bytes, digest }: Content): Promise<Response> {
    const begun = await this.send("POST", `${repository}/blobs/uploads/`);
    const patched = await this.send("PATCH", begun.headers.get("location") ?? "", new Blob([bytes]).stream());
    expect(patched.status).toBe(202);
    return this.send("PUT", withDigest(patched.headers.get("location"), digest));
  }

  async chunkedBlob(
    repository: string,
    { bytes, digest }: Content,
    chunks: number,
    { outOfOrder = false, lastByPut = false } = {},
  ): Promise<Response> {
    const begun = await this.send("POST", `${repository}/blobs/uploads/`, null, { "content-length": "0" });
    let location = begun.headers.get("location");
    const size = Math.ceil(bytes.length / chunks);
    for (let start = 0; start < bytes.length; start += size) {
      const end = Math.min(start + size, bytes.length);
      if (outOfOrder) location = await this.sendWrongChunk(location, bytes, digest, start, size, lastByPut);
      if (lastByPut && end === bytes.length)
        return this.sendChunk("PUT", withDigest(location, digest), bytes, start, end);
      const patched = await this.sendChunk("PATCH", location ?? "", bytes, start, end);
      expect([patched.status, patched.headers.get("range")]).toEqual([202, `0-${end - 1}`]);
      location = patched.headers.get("location");
    }
    return this.send("PUT", withDigest(location, digest));
  }

  /** A chunk that skips one or comes again; the upload tells where it stands, and can go on. */
  private async sendWrongChunk(
    location: string | null,
    bytes: Uint8Array<ArrayBuffer>,
    digest: string,
    at: number,
    size: number,
    byPut: boolean,
  ): Promise<string | null> {
    const start = at + size < bytes.length ? at + size : 0;
    const end = Math.min(start + size, bytes.length);
    const put = byPut && end === bytes.length;
    const target = put ? withDigest(location, digest) : (location ?? "");
    const refused = await this.sendChunk(put ? "PUT" : "PATCH", target, bytes, start, end);
    expect([refused.status, refused.headers.get("location")]).toEqual([at === start ? 202 : 416, location]);
    const status = await this.send("GET", location ?? "");
    expect([status.status, status.headers.get("range")]).toEqual([204, `0-${Math.max(0, at - 1)}`]);
    return status.headers.get("location");
  }

  private sendChunk(method: string, at: string, bytes: Uint8Array<ArrayBuffer>, start: number, end: number) {
    const headers = { "content-range": `${start}-${end - 1}`, "content-length": String(end - start) };
    return this.send(method, at, bytes.slice(start, end), { ...headers, "content-type": "application/octet-stream" });
  }

  putManifest(repository: string, reference: string, { bytes, mediaType }: Content): Promise<Response> {
    return this.send("PUT", `${repository}/manifests/${reference}`, bytes, { "content-type": mediaType });
  }

  async tags(repository: string, query = ""): Promise<string[]> {
    const response = await this.send("GET", `${repository}/tags/list${query}`);
    expect(response.status).toBe(200);
    return ((await response.json()) as { tags: string[] }).tags;
  }

  /** That a GET gives exactly this. */
  async expectContent(path: string, { bytes, digest, mediaType }: Content): Promise<void> {
    const got = await this.send("GET", path);
    expect([got.status, got.headers.get("content-length")]).toEqual([200, String(bytes.length)]);
    expect(got.headers.get("docker-content-digest")).toBe(digest);
    expect(got.headers.get("content-type")).toBe(mediaType);
    expect(Buffer.compare(await got.bytes(), bytes)).toBe(0);
  }
}

function withDigest(location: string | null, digest: string): string {
  return `${location}?digest=${digest}`;
}
