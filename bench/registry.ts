/**
 * Gantry's registry beside Docker's (Debian's docker-registry), under the same load from 16 connections, in turns. Usage: make bench-registry
 * [ONLY=manifest,push]. Both with their usual settings, access log included, each with a directory of its own.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LoadRequest, type LoadResponse, type LoadResult, load } from "./lib/http-load.ts";
import { median } from "./lib/measure.ts";

const connections = 16;
const rounds = 3;
const seconds = Number(process.env["SECONDS"] ?? 3);
const scratch = mkdtempSync(join(tmpdir(), "gantry-bench-registry-"));
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const megabyte = 1_000_000;

type Send = (request: LoadRequest) => Promise<LoadResponse>;

interface Server {
  readonly name: string;
  readonly port: number;
}

const children: Bun.Subprocess[] = [];

interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly target: number;
  /** Of the result. */
  readonly figure: (result: LoadResult) => number;
  readonly run: (server: Server) => Promise<LoadResult>;
}

const digestOf = (content: Uint8Array | string) =>
  `sha256:${new Bun.CryptoHasher("sha256").update(content).digest("hex")}`;

function expectStatus(response: LoadResponse, ...wanted: number[]): LoadResponse {
  if (!wanted.includes(response.status)) throw new Error(`status ${response.status}, not ${wanted.join(" or ")}`);
  return response;
}

const layers = Array.from({ length: 10 }, () => crypto.getRandomValues(new Uint8Array(1000)));
const config = new TextEncoder().encode('{"architecture":"amd64","os":"linux"}');
const large = new Uint8Array(16 * megabyte).map((_, at) => (at * 31) % 251);
const descriptor = (content: Uint8Array, mediaType: string) => ({
  mediaType,
  digest: digestOf(content),
  size: content.length,
});
const manifest = JSON.stringify({
  ...{ schemaVersion: 2, mediaType: manifestType },
  config: descriptor(config, "application/vnd.oci.image.config.v1+json"),
  layers: layers.map((layer) => descriptor(layer, "application/vnd.oci.image.layer.v1.tar+gzip")),
});

/** As Docker's client does it: an upload is begun, filled by one PATCH, and ended under its digest. */
async function push(send: Send, content: Uint8Array, digest: string): Promise<void> {
  const begun = expectStatus(await send({ method: "POST", path: "/v2/bench/app/blobs/uploads/" }), 202);
  const headers = { "content-type": "application/octet-stream" };
  const patched = await send({ method: "PATCH", path: pathOf(begun), headers, body: content });
  const at = pathOf(expectStatus(patched, 202));
  const separator = at.includes("?") ? "&" : "?";
  expectStatus(await send({ method: "PUT", path: `${at}${separator}digest=${encodeURIComponent(digest)}` }), 201);
}

function pathOf(response: LoadResponse): string {
  const { pathname, search } = new URL(response.headers.get("location") ?? "", "http://registry");
  return pathname + search;
}

async function prepare({ port }: Server): Promise<void> {
  let left = [config, ...layers, large];
  await load(port, 1, async (send) => {
    const [blob, ...rest] = left;
    if (!blob) {
      const body = new TextEncoder().encode(manifest);
      const headers = { "content-type": manifestType };
      const path = "/v2/bench/app/manifests/latest";
      expectStatus(await send({ method: "PUT", path, headers, body }), 201);
      return undefined;
    }
    await push(send, blob, digestOf(blob));
    left = rest;
    return 0;
  });
}

/** One request again and again. */
const again =
  (method: string, path: string, status = 200) =>
  ({ port }: Server) => {
    const until = performance.now() + seconds * 1000;
    const headers = { accept: manifestType };
    return load(port, connections, async (send) => {
      if (performance.now() >= until) return undefined;
      return expectStatus(await send({ method, path, headers }), status).bytes;
    });
  };

const pushes = 150;

function pushMany({ port }: Server): Promise<LoadResult> {
  const contents = Array.from({ length: pushes }, (_, at) => {
    const content = new Uint8Array(megabyte).fill(at);
    crypto.getRandomValues(content.subarray(0, 32));
    return { content, digest: digestOf(content) };
  });
  return load(port, connections, async (send) => {
    const next = contents.pop();
    if (!next) return undefined;
    await push(send, next.content, next.digest);
    return megabyte;
  });
}

const perSecond = ({ perSecond: rate }: LoadResult) => rate;
const megabytes = ({ bytesPerSecond }: LoadResult) => bytesPerSecond / megabyte;

const blobPath = `/v2/bench/app/blobs/${digestOf(layers[0] as Uint8Array)}`;
const measures: Measure[] = [
  {
    name: "manifest GET by tag",
    unit: "/s",
    target: 4,
    figure: perSecond,
    run: again("GET", "/v2/bench/app/manifests/latest"),
  },
  {
    name: "manifest GET by digest",
    ...{ unit: "/s", target: 4, figure: perSecond },
    run: again("GET", `/v2/bench/app/manifests/${digestOf(manifest)}`),
  },
  {
    name: "manifest HEAD by tag",
    unit: "/s",
    target: 4,
    figure: perSecond,
    run: again("HEAD", "/v2/bench/app/manifests/latest"),
  },
  { name: "blob HEAD", unit: "/s", target: 4, figure: perSecond, run: again("HEAD", blobPath) },
  { name: "blob GET of 1 kB", unit: "/s", target: 1.5, figure: perSecond, run: again("GET", blobPath) },
  {
    name: "blob GET of 16 MB",
    ...{ unit: "MB/s", target: 1.5, figure: megabytes },
    run: again("GET", `/v2/bench/app/blobs/${digestOf(large)}`),
  },
  { name: "push of 1 MB", unit: "/s", target: 1.5, figure: perSecond, run: pushMany },
];

async function start(name: string, argv: string[], port: number): Promise<Server> {
  const child = Bun.spawn(argv, { stdout: Bun.file("/dev/null"), stderr: Bun.file(join(scratch, `${name}.log`)) });
  children.push(child);
  for (let wait = 0; ; wait++) {
    const answer = await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined);
    if (answer?.ok) return { name, port };
    if (wait > 200 || child.exitCode !== null) throw new Error(`${name} did not start`);
    await Bun.sleep(50);
  }
}

function startAll(): Promise<Server[]> {
  const [ours, theirs] = [5971, 5972];
  const settings = {
    version: "0.1",
    log: { level: "info", accesslog: { disabled: false } },
    storage: { filesystem: { rootdirectory: join(scratch, "docker") }, cache: { blobdescriptor: "inmemory" } },
    http: { addr: `127.0.0.1:${theirs}` },
  };
  writeFileSync(join(scratch, "docker.yml"), JSON.stringify(settings));
  const gantry = join(import.meta.dir, "../build/gantry");
  const flags = ["--root", join(scratch, "gantry"), "--listen", `127.0.0.1:${ours}`];
  return Promise.all([
    start("gantry", [gantry, "registry", "serve", ...flags], ours),
    start("docker-registry", ["docker-registry", "serve", join(scratch, "docker.yml")], theirs),
  ]);
}

async function report(measure: Measure, servers: Server[]): Promise<string> {
  const results = new Map(servers.map(({ name }) => [name, [] as LoadResult[]]));
  for (let round = 0; round < rounds; round++) {
    for (const server of servers) results.get(server.name)?.push(await measure.run(server));
  }
  const lines = servers.map(({ name }) => {
    const own = results.get(name) ?? [];
    const [p50, p99] = [median(own.map((each) => each.p50)), median(own.map((each) => each.p99))];
    const figure = median(own.map(measure.figure));
    const text = `  ${name.padEnd(16)}${figure.toFixed(0).padStart(8)} ${measure.unit.padEnd(5)} p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`;
    return { text, figure, p99 };
  });
  const [ours, theirs] = lines;
  const ratio = (ours?.figure ?? 0) / (theirs?.figure ?? 1);
  const met = ratio >= measure.target && (ours?.p99 ?? 0) < (theirs?.p99 ?? 0) ? "" : "  BELOW TARGET";
  return `${measure.name}: ${ratio.toFixed(1)} x (target ${measure.target} x, lower p99)${met}\n${lines.map(({ text }) => text).join("\n")}`;
}

async function main(): Promise<void> {
  const only = process.env["ONLY"]?.split(",");
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => end().finally(() => process.exit(1)));
  try {
    const servers = await startAll();
    for (const server of servers) await prepare(server);
    for (const measure of measures) {
      if (!only || only.some((word) => measure.name.includes(word))) console.log(await report(measure, servers));
    }
  } finally {
    await end();
  }
}

async function end(): Promise<void> {
  for (const child of children) child.kill();
  await Promise.all(children.map((child) => child.exited));
  rmSync(scratch, { recursive: true, force: true });
}

await main();
