/** For tests: a registry in a directory of its own, and requests to it without a socket. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Logger } from "../base/log.ts";
import { digestOf } from "../oci/digest.ts";
import { mediaTypes } from "../oci/manifest.ts";
import { loadConfig, type RegistryConfig } from "./config/config.ts";
import { Registry } from "./registry.ts";

export interface TestRegistry extends AsyncDisposable {
  readonly registry: Registry;
  readonly root: string;
  readonly log: string[];
  /** `path` without `/v2/`, or absolute. */
  request(
    method: string,
    path: string,
    body?: string | Uint8Array<ArrayBuffer> | ReadableStream | null,
    headers?: Record<string, string>,
  ): Promise<Response>;
  /** Uploads in one request; returns the digest. */
  pushBlob(name: string, content: string): Promise<string>;
  /** Pushes an image with one layer of this content; returns the manifest's digest. */
  pushImage(name: string, reference: string, content: string, more?: object): Promise<string>;
}

export async function testRegistry(change: Partial<RegistryConfig> = {}, reuse?: string): Promise<TestRegistry> {
  const root = reuse ?? mkdtempSync(join(tmpdir(), "gantry-registry-"));
  const log: string[] = [];
  const config = { ...loadConfig([], {}), root, ...change };
  const registry = await Registry.open(config, { logger: new Logger("info", (line) => log.push(line)) });
  const request: TestRegistry["request"] = (method, path, body, headers = {}) => {
    const url = `http://registry${path.startsWith("/") ? path : `/v2/${path}`}`;
    return registry.handler(new Request(url, { method, headers, ...(body == null ? {} : { body }) }));
  };
  const pushBlob: TestRegistry["pushBlob"] = async (name, content) => {
    const digest = digestOf(content);
    const response = await request("POST", `${name}/blobs/uploads/?digest=${digest}`, content);
    if (response.status !== 201)
      throw new Error(`push of blob: ${response.status} ${await response.text()}\n${log.at(-1) ?? ""}`);
    return digest;
  };
  const pushImage: TestRegistry["pushImage"] = async (name, reference, content, more = {}) => {
    await pushBlob(name, content);
    await pushBlob(name, "{}");
    const manifest = imageManifest(content, more);
    const response = await request("PUT", `${name}/manifests/${reference || digestOf(manifest)}`, manifest, {
      "content-type": mediaTypes.ociManifest,
    });
    if (response.status !== 201) throw new Error(`push of manifest: ${response.status} ${await response.text()}`);
    return digestOf(manifest);
  };
  return {
    ...{ registry, root, log, request, pushBlob, pushImage },
    [Symbol.asyncDispose]: async () => {
      await registry.close();
      if (reuse === undefined) rmSync(root, { recursive: true, force: true });
    },
  };
}

export function imageManifest(layer: string, more: object = {}): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: digestOf("{}"), size: 2 },
    layers: [{ mediaType: mediaTypes.ociLayer, digest: digestOf(layer), size: Buffer.byteLength(layer) }],
    ...more,
  });
}

/** The codes of an error body. */
export async function errorCodes(response: Response): Promise<string[]> {
  const body = (await response.json()) as { errors: { code: string }[] };
  return body.errors.map((error) => error.code);
}
