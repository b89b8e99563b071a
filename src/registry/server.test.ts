/** The real program on real sockets. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Logger } from "../base/log.ts";
import { selfArgv } from "../base/self.ts";
import { lines } from "../base/streams.ts";
import { digestOf } from "../oci/digest.ts";
import { loadConfig } from "./config/config.ts";
import { serveRegistry } from "./server.ts";
import { testRegistry } from "./testing.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-registry-server-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function start(root: string, ...flags: string[]) {
  const argv = selfArgv("registry", "serve", "--root", root, "--listen", "127.0.0.1:0", ...flags);
  const child = Bun.spawn(argv, { stdout: "pipe", stderr: "pipe" });
  let url = "";
  for await (const line of lines(child.stderr)) {
    url = /url="([^"]+)"/.exec(line)?.[1] ?? "";
    if (url !== "") break;
  }
  return { child, url };
}

const gc = async (root: string) => {
  const child = Bun.spawn(selfArgv("registry", "gc", "--root", root, "--gc-lease", "1"), { stdout: "pipe" });
  return JSON.parse(await new Response(child.stdout).text()) as Record<string, number>;
};

test("serves, logs, collects through the running server, and shuts down when asked", async () => {
  const root = join(directory, "plain");
  const { child, url } = await start(root, "--gc-lease", "1");
  try {
    const content = new Uint8Array(3_000_000).fill(7);
    const digest = digestOf(content);
    const put = await fetch(`${url}/v2/a/blobs/uploads/?digest=${digest}`, { method: "POST", body: content });
    expect(put.status).toBe(201);
    const head = await fetch(`${url}/v2/a/blobs/${digest}`, { method: "HEAD" });
    expect(head.headers.get("content-length")).toBe("3000000");
    const part = await fetch(`${url}/v2/a/blobs/${digest}`, { headers: { range: "bytes=10-19" } });
    expect([part.status, part.headers.get("content-range")]).toEqual([206, "bytes 10-19/3000000"]);
    expect((await part.arrayBuffer()).byteLength).toBe(10);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('route="blobs",method="HEAD",status="200"} 1');
    const second = Bun.spawn(selfArgv("registry", "--root", root), { stderr: "pipe" });
    expect(await new Response(second.stderr).text()).toContain(`another registry is using ${root}`);
    expect(await second.exited).toBe(1);
    await Bun.sleep(1600);
    expect(await gc(root)).toMatchObject({ blobs: 1, bytes: 3_000_000 });
  } finally {
    child.kill("SIGTERM");
  }
  expect(await child.exited).toBe(0);
  const entries = (await new Response(child.stdout).text()).trim().split("\n");
  expect(entries.map((line) => JSON.parse(line).status)).toEqual([201, 200, 206]);
  expect(await gc(root)).toMatchObject({ blobs: 0 });
}, 20_000);

test("an upload survives kill -9 of the server", async () => {
  const root = join(directory, "killed");
  const first = await start(root);
  const begun = await fetch(`${first.url}/v2/a/blobs/uploads/`, { method: "POST" });
  const at = begun.headers.get("location") ?? "";
  await fetch(first.url + at, { method: "PATCH", body: "half, " });
  first.child.kill("SIGKILL");
  await first.child.exited;
  const { child, url } = await start(root);
  try {
    expect((await fetch(url + at)).headers.get("range")).toBe("0-5");
    const put = await fetch(`${url}${at}?digest=${digestOf("half, whole")}`, { method: "PUT", body: "whole" });
    expect(put.status).toBe(201);
  } finally {
    child.kill("SIGTERM");
    await child.exited;
  }
}, 20_000);

test("TLS", async () => {
  const [key, certificate] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  const made = Bun.spawnSync([
    ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-subj", "/CN=localhost", "-days", "1", "-keyout", key, "-out", certificate],
  ]);
  expect(made.exitCode).toBe(0);
  const { child, url } = await start(join(directory, "tls"), "--tls-certificate", certificate, "--tls-key", key);
  try {
    expect(url).toStartWith("https://");
    expect((await fetch(`${url}/v2/`, { tls: { rejectUnauthorized: false } })).status).toBe(200);
  } finally {
    child.kill("SIGTERM");
    await child.exited;
  }
}, 20_000);

test("a new certificate counts without a restart; half of one does not", async () => {
  const [key, certificate] = [join(directory, "renewed.key"), join(directory, "renewed.pem")];
  const make = (name: string) => {
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
    const files = ["-keyout", `${key}.new`, "-out", `${certificate}.new`];
    expect(Bun.spawnSync(["openssl", "req", "-x509", ...curve, "-subj", `/CN=${name}`, ...files]).exitCode).toBe(0);
  };
  const place = (path: string) => renameSync(`${path}.new`, path);
  make("first");
  for (const path of [key, certificate]) place(path);
  await using r = await testRegistry();
  const config = { ...loadConfig([], {}), root: r.root, listen: "127.0.0.1:0" };
  const log: string[] = [];
  const tls = { "tls.certificate": certificate, "tls.key": key };
  const logger = new Logger("info", (line) => log.push(line));
  const running = serveRegistry(r.registry, { ...config, ...tls }, logger, { certificateCheckMillis: 20 });
  const subject = async () => {
    const { host } = new URL(running.url);
    const client = Bun.spawn(["openssl", "s_client", "-connect", host], {
      stdin: new Blob([]),
      stdout: "pipe",
      stderr: "ignore",
    });
    return /subject=CN = (\w+)/.exec(await new Response(client.stdout).text())?.[1];
  };
  const until = async (said: string) => {
    for (let wait = 0; !log.some((line) => line.includes(said)); wait++) {
      if (wait > 500) throw new Error(`waited in vain for: ${said}`);
      await Bun.sleep(10);
    }
  };
  try {
    expect(await subject()).toBe("first");
    make("second");
    place(certificate);
    await until("the certificate cannot be renewed");
    expect(await subject()).toBe("first");
    place(key);
    await until("registry has a new certificate");
    expect(await subject()).toBe("second");
    expect((await fetch(`${running.url}/v2/`, { tls: { rejectUnauthorized: false } })).status).toBe(200);
  } finally {
    await running.stop();
  }
}, 20_000);
