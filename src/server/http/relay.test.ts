import { afterEach, beforeEach, expect, test } from "bun:test";
import { closeSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { feed, startChild } from "../../archive/processes/run-child.ts";
import { collect } from "../../base/streams.ts";
import { makePipe } from "../../linux/pipe.ts";
import { shimPath } from "../../runtime/shim-fixture.ts";
import { HttpServer } from "./http-server.ts";
import type { HttpRequest, HttpResponse } from "./message.ts";
import { Relay } from "./relay.ts";

let directory: string;
let path: string;
let server: HttpServer;
let errors: unknown[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "gantry-relay-"));
  path = join(directory, "s");
  errors = [];
});
afterEach(async () => {
  await server.close(0);
  rmSync(directory, { recursive: true });
});

async function serve(answer: (request: HttpRequest) => Promise<HttpResponse>): Promise<void> {
  const relay = new Relay(join(dirname(shimPath), "gantry-relay"));
  server = new HttpServer({ handler: answer, onError: (error) => errors.push(error), relay });
  const listener = createServer({ allowHalfOpen: true });
  server.attach(listener);
  await new Promise<void>((resolve) => listener.listen(path, resolve));
}

/** Sends the pieces one by one, reads to the end. */
async function exchange(pieces: (string | Uint8Array)[]): Promise<string> {
  const socket = connect({ path });
  const answer: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => answer.push(chunk)).on("error", () => {});
  const ended = new Promise((resolve) => socket.once("close", resolve));
  for (const piece of pieces) await new Promise((resolve) => socket.write(piece, resolve));
  await ended;
  return Buffer.concat(answer).toString("latin1");
}

const mebibytes = (count: number) => Buffer.alloc(count << 20, "0123456789abcdefg");
const digest = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

/** What a process behind a pipe would read of the body. */
async function received(request: HttpRequest, reading = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const { readEnd, writeEnd } = makePipe();
  const got: Uint8Array[] = [];
  let size = 0;
  const problem = Promise.withResolvers<never>();
  problem.promise.catch(() => {});
  const succeeded = Promise.withResolvers<boolean>();
  const feeding = feed(request.body, writeEnd, { fail: problem.reject, succeeded: succeeded.promise });
  for await (const chunk of Bun.file(readEnd).stream()) {
    got.push(chunk);
    size += chunk.length;
    if (size >= reading) break;
  }
  closeSync(readEnd);
  succeeded.resolve(true);
  await Promise.race([problem.promise, feeding]);
  return Buffer.concat(got);
}

const answerDigest = async (request: HttpRequest): Promise<HttpResponse> => {
  try {
    return { status: 200, body: digest(await received(request)) };
  } catch (error) {
    return { status: 400, body: String(error) };
  }
};

/** In chunks of odd sizes, some of them cut anywhere. */
function chunked(body: Uint8Array, sizes: number[], trailer = ""): Buffer {
  const parts: Uint8Array[] = [];
  for (let at = 0, index = 0; at < body.length; index++) {
    const part = body.subarray(at, at + (sizes[index % sizes.length] as number));
    parts.push(Buffer.from(`${part.length.toString(16)}${index % 3 ? "" : ";x=y"}\r\n`), part, Buffer.from("\r\n"));
    at += part.length;
  }
  return Buffer.concat([...parts, Buffer.from(`0\r\n${trailer}\r\n`)]);
}

test("a long body goes past us to the process, whatever its framing", async () => {
  await serve(answerDigest);
  const body = mebibytes(9);
  const head = "PUT / HTTP/1.1\r\nHost: x\r\n";
  const plain = await exchange([`${head}Content-Length: ${body.length}\r\n\r\n`, body]);
  expect(plain).toContain(digest(body));
  expect(plain).toContain("Connection: close");
  for (const sizes of [[32_768], [1, 65_537, 3], [1 << 20, 17], [7_000_001]]) {
    const wire = chunked(body, sizes, sizes.length === 2 ? "A: b\r\nC: d\r\n" : "");
    const cuts = [0, 100_001, 1_300_007, 2_000_000, 2_000_001, wire.length];
    const pieces = cuts.slice(1).map((end, index) => wire.subarray(cuts[index], end));
    expect(await exchange([`${head}Transfer-Encoding: chunked\r\n\r\n`, ...pieces])).toContain(digest(body));
  }
  expect(errors).toEqual([]);
}, 30_000);

test("broken framing and clients that go away, far into a body, are errors", async () => {
  await serve(answerDigest);
  const head = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const good = chunked(mebibytes(3), [40_000]).subarray(0, -5);
  for (const bad of ["zz\r\n", "5\r\nabcdefgh\r\n", `${"1".repeat(5000)}\r\n`, "5\n"]) {
    expect(await exchange([head, good, bad])).toContain("malformed chunked encoding");
  }
  const answered = Promise.withResolvers<HttpResponse>();
  await server.close(0);
  await serve(async (request) => {
    answered.resolve(await answerDigest(request));
    return { status: 200 };
  });
  const socket = connect({ path }).on("error", () => {});
  await new Promise((resolve) => socket.write(Buffer.concat([Buffer.from(head), good]), resolve));
  socket.destroy();
  expect((await answered.promise).body).toContain("unexpected EOF");
}, 30_000);

test("a process that stops reading still lets the client send all", async () => {
  const body = mebibytes(20);
  await serve(async (request) => ({ status: 200, body: `had ${(await received(request, 2 << 20)).length > 0}` }));
  const answer = await exchange([`PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`, body]);
  expect(answer).toContain("had true");
}, 30_000);

test("what a process writes goes to the client past us, and the connection serves on", async () => {
  const large = join(directory, "large");
  await Bun.write(large, mebibytes(5));
  const small = join(directory, "small");
  await Bun.write(small, "little");
  await serve(async ({ path: wanted }) => {
    const source = { offset: 0, path: wanted === "/large" ? large : wanted === "/small" ? small : "/nonexistent" };
    const child = startChild("__archive", { verb: "pass", source }, { stdout: "stream" });
    return { status: 200, body: child.output };
  });
  const url = (name: string) => `http://x/${name}`;
  for (let round = 0; round < 3; round++) {
    const response = await fetch(url("large"), { unix: path });
    expect(digest(await collect(response.body as ReadableStream<Uint8Array>))).toBe(digest(mebibytes(5)));
    expect(await fetch(url("small"), { unix: path }).then((answer) => answer.text())).toBe("little");
  }
  const http10 = await exchange(["GET /large HTTP/1.0\r\n\r\n"]);
  expect(digest(Buffer.from(http10.slice(http10.indexOf("\r\n\r\n") + 4), "latin1"))).toBe(digest(mebibytes(5)));
  expect(errors).toEqual([]);
  expect(await exchange(["GET /broken HTTP/1.1\r\nHost: x\r\n\r\n"])).not.toContain("0\r\n\r\n");
  expect(errors).toHaveLength(1);
}, 30_000);

test("a client that leaves ends the process that writes to it", async () => {
  const ended = Promise.withResolvers<unknown>();
  const endless = { path: "/dev/zero", offset: 0 };
  await serve(async () => {
    const child = startChild("__archive", { verb: "pass", source: endless }, { stdout: "stream" });
    child.result.catch(ended.resolve);
    return { status: 200, body: child.output };
  });
  const socket = connect({ path }).on("error", () => {});
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  let size = 0;
  await new Promise<void>((resolve) => {
    socket.on("data", (chunk) => {
      size += chunk.length;
      if (size > 8 << 20) resolve();
    });
  });
  socket.destroy();
  await ended.promise;
}, 30_000);
