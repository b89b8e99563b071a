import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiClient, compareVersions, encodeFilters } from "./client.ts";
import { ApiError } from "./client-error.ts";
import { parseEndpoint } from "./endpoint.ts";
import { apiVersion } from "./system.ts";

const folder = mkdtempSync(join(tmpdir(), "gantry-client-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("requests", () => {
  const path = join(folder, "http.sock");
  const seen: string[] = [];
  let maximum = apiVersion;
  let server: ReturnType<typeof Bun.serve>;

  beforeAll(() => {
    server = Bun.serve({ unix: path, fetch: answer });
  });
  afterAll(() => server.stop(true));

  async function answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    seen.push(`${request.method} ${url.pathname}${url.search}`);
    if (url.pathname === "/_ping") return new Response("OK", { headers: { "Api-Version": maximum } });
    const version = /^\/v([\d.]+)\//.exec(url.pathname)?.[1] ?? "";
    if (compareVersions(version, maximum) > 0) {
      const message = `client version ${version} is too new. Maximum supported API version is ${maximum}`;
      return Response.json({ message }, { status: 400 });
    }
    if (url.pathname.endsWith("/missing")) return Response.json({ message: "No such thing" }, { status: 404 });
    if (url.pathname.endsWith("/plain")) return new Response("broken\n", { status: 500 });
    if (url.pathname.endsWith("/empty")) return new Response("", { status: 502 });
    return Response.json({ version, body: await request.text() });
  }

  const client = (options = {}) => new ApiClient(parseEndpoint(`unix://${path}`), options);

  test("no ping before an ordinary call", async () => {
    seen.length = 0;
    await client().json("GET", "/x", { query: { a: true, b: undefined, c: ["1", "2"], d: false } });
    expect(seen).toEqual([`GET /v${apiVersion}/x?a=1&c=1&c=2&d=0`]);
  });

  test("steps down to an older daemon, also when calls run side by side", async () => {
    maximum = "1.41";
    const older = client();
    const answers = await Promise.all([1, 2, 3].map(() => older.json<{ version: string }>("GET", "/x")));
    expect(answers.map(({ version }) => version)).toEqual(["1.41", "1.41", "1.41"]);
    expect(older.version).toBe("1.41");
    expect(older.atLeast("1.42")).toBe(false);
    maximum = apiVersion;
  });

  test("a body may depend on the version in use", async () => {
    maximum = "1.41";
    const { body } = await client().json<{ body: string }>("POST", "/x", { bodyFor: (version) => ({ version }) });
    expect(JSON.parse(body)).toEqual({ version: "1.41" });
    maximum = apiVersion;
  });

  test("a stream cannot be sent twice, so the version is asked for first", async () => {
    maximum = "1.41";
    seen.length = 0;
    const stream = async function* () {
      yield Buffer.from("one ");
      yield Buffer.from("two");
    };
    const { body } = await client().json<{ body: string }>("PUT", "/x", { stream: stream() });
    expect(body).toBe("one two");
    expect(seen).toEqual(["HEAD /_ping", "PUT /v1.41/x"]);
    maximum = apiVersion;
  });

  test("a fixed version is kept", async () => {
    maximum = "1.41";
    await expect(client({ version: "1.50" }).send("GET", "/x")).rejects.toThrow("client version 1.50 is too new");
    maximum = apiVersion;
  });

  test("errors carry status and the daemon's message", async () => {
    await expect(client().send("GET", "/missing")).rejects.toEqual(new ApiError(404, "No such thing"));
    await expect(client().send("GET", "/plain")).rejects.toMatchObject({ status: 500, message: "broken" });
    await expect(client().send("GET", "/empty")).rejects.toThrow("API returned a 502 but provided no error-message");
  });

  test("a daemon that is not there", async () => {
    const gone = new ApiClient(parseEndpoint("unix:///nonexistent.sock"), { product: "Gantry" });
    const message = "Cannot connect to the Gantry daemon at unix:///nonexistent.sock. Is the gantry daemon running?";
    await expect(gone.send("GET", "/x")).rejects.toThrow(message);
    await expect(gone.hijack("/x")).rejects.toThrow(message);
  });
});

describe("hijacked connections", () => {
  const path = join(folder, "raw.sock");
  let server: Server;
  let serve: (socket: Socket, head: string) => void = () => {};

  beforeAll(async () => {
    server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.once("data", (data) => serve(socket, data.toString()));
      socket.on("error", () => {});
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
  });
  afterAll(() => server.close());

  const upgraded = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nUpgrade: tcp\r\n\r\n";
  const client = () => new ApiClient(parseEndpoint(`unix://${path}`));

  test("bytes after the head are kept, our side can be closed alone", async () => {
    let request = "";
    serve = (socket, head) => {
      request = head;
      socket.write(`${upgraded}early `);
      const received: Buffer[] = [];
      socket.on("data", (data) => received.push(Buffer.from(data)));
      socket.on("end", () => socket.end(`got ${Buffer.concat(received)}`));
    };
    const stream = await client().hijack("/attach", { query: { stream: true } });
    expect(stream.mediaType).toBe("application/vnd.docker.raw-stream");
    await stream.write(Buffer.from("input"));
    stream.closeWrite();
    expect(Buffer.concat(await Array.fromAsync(stream)).toString()).toBe("early got input");
    expect(request).toStartWith(`POST /v${apiVersion}/attach?stream=1 HTTP/1.1\r\n`);
    expect(request).toContain("Upgrade: tcp\r\n");
  });

  test("large transfers both ways at once lose nothing", async () => {
    serve = (socket) => {
      socket.write(upgraded);
      socket.pipe(socket);
    };
    const stream = await client().hijack("/attach");
    const chunk = Buffer.alloc(1 << 20, 5);
    const sending = (async () => {
      for (let count = 0; count < 24; count++) await stream.write(chunk);
      stream.closeWrite();
    })();
    let size = 0;
    for await (const piece of stream) {
      size += piece.length;
      // A slow reader: the other side must be held up, not lose bytes.
      if (size % 7 === 0) await Bun.sleep(1);
    }
    await sending;
    expect(size).toBe(24 << 20);
  });

  test("a refusal is an ApiError, plain or chunked", async () => {
    const body = JSON.stringify({ message: "No such container: x" });
    serve = (socket) => socket.write(`HTTP/1.1 404 Not Found\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await expect(client().hijack("/attach")).rejects.toEqual(new ApiError(404, "No such container: x"));
    const size = body.length.toString(16);
    serve = (socket) =>
      socket.write(`HTTP/1.1 409 Conflict\r\nTransfer-Encoding: chunked\r\n\r\n${size}\r\n${body}\r\n0\r\n\r\n`);
    await expect(client().hijack("/attach")).rejects.toMatchObject({ status: 409, message: "No such container: x" });
  });

  test("a connection that ends before the answer", async () => {
    serve = (socket) => socket.destroy();
    await expect(client().hijack("/attach")).rejects.toThrow("Cannot connect to the Docker daemon");
  });
});

test("filters in the form that every daemon takes", () => {
  expect(encodeFilters({})).toBeUndefined();
  expect(JSON.parse(encodeFilters({ label: ["a", "b=c"] }) ?? "")).toEqual({ label: { a: true, "b=c": true } });
});
