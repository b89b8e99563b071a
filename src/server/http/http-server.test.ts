import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HttpServer } from "./http-server.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "./message.ts";

let directory: string;
let path: string;
let server: HttpServer;
let errors: unknown[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "gantry-http-"));
  path = join(directory, "s");
  errors = [];
});

afterEach(async () => {
  await server.close(0);
  rmSync(directory, { recursive: true });
});

async function serve(handler: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>): Promise<void> {
  const wrapped: HttpHandler = async (request) => handler(request);
  server = new HttpServer({ handler: wrapped, onError: (error) => errors.push(error) });
  const listener = createServer({ allowHalfOpen: true });
  server.attach(listener);
  await new Promise<void>((resolve) => listener.listen(path, resolve));
}

/** A raw client: what it received so far, and when the server ended its side. */
class Client {
  received = "";
  ended: Promise<void>;
  readonly socket: Socket;
  private waiting: (() => void)[] = [];

  constructor() {
    this.socket = connect({ path, allowHalfOpen: true });
    this.ended = new Promise((resolve) => {
      this.socket.on("end", () => resolve());
      this.socket.on("close", () => resolve());
      this.socket.on("error", () => resolve());
    });
    this.socket.on("data", (data) => {
      this.received += data.toString("latin1");
      for (const wake of this.waiting.splice(0)) wake();
    });
  }

  send(text: string): this {
    this.socket.write(text, "latin1");
    return this;
  }

  async until(text: string): Promise<string> {
    while (!this.received.includes(text)) await new Promise<void>((resolve) => this.waiting.push(resolve));
    return this.received;
  }

  async all(): Promise<string> {
    await this.ended;
    this.socket.destroy();
    return this.received;
  }
}

const head = (line: string, ...headers: string[]) =>
  `${[`${line} HTTP/1.1`, "Host: x", ...headers].join("\r\n")}\r\n\r\n`;
const statusOf = (text: string) => Number(text.split(" ")[1]);

async function readAll(request: HttpRequest): Promise<string> {
  let text = "";
  for await (const chunk of request.body) text += Buffer.from(chunk).toString("latin1");
  return text;
}

describe("requests", () => {
  test("follow each other on one connection, pipelined too", async () => {
    await serve(async (request) => ({
      status: 200,
      body: `${request.method} ${request.path} ${await readAll(request)};`,
    }));
    const client = new Client();
    client
      .send(head("GET /a%20b?x=1"))
      .send(`${head("POST /c", "Content-Length: 3")}abc${head("GET /d", "Connection: close")}`);
    const text = await client.all();
    expect(text.match(/(GET|POST) \/[^;]*;/g)).toEqual(["GET /a b ;", "POST /c abc;", "GET /d ;"]);
    expect(text).toContain("Connection: close");
  });

  test("arrive in pieces, with a chunked body", async () => {
    await serve(async (request) => ({ status: 200, body: await readAll(request) }));
    const client = new Client();
    const whole = `${head("PUT /x", "Transfer-Encoding: chunked")}5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nTrailer: x\r\n\r\n${head("GET /y", "Connection: close")}`;
    for (const byte of whole) {
      client.send(byte);
      await Bun.sleep(0);
    }
    expect(await client.all()).toContain("\r\n\r\nhello world");
  });

  test("wait for 100 Continue until the body is wanted", async () => {
    await serve(async (request) => ({ status: 200, body: `got ${await readAll(request)}` }));
    const client = new Client();
    client.send(head("POST /x", "Content-Length: 2", "Expect: 100-continue"));
    expect(await client.until("\r\n\r\n")).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("ok");
    expect(await client.until("got ok")).toContain("HTTP/1.1 200 OK");
    client.socket.destroy();
  });

  test("of HEAD get no body, and 304 none either", async () => {
    await serve((request) => (request.path === "/same" ? { status: 304 } : { status: 200, body: "text" }));
    const client = new Client();
    client.send(head("HEAD /x")).send(head("GET /same")).send(head("GET /x", "Connection: close"));
    const text = await client.all();
    expect(text.match(/text/g)?.length).toBe(1);
    expect(text).toContain("304 Not Modified");
    expect(text.match(/Content-Length: 4/g)?.length).toBe(2);
  });

  test("with an unwanted large body end the connection after the answer", async () => {
    await serve(() => ({ status: 501, body: "no" }));
    const client = new Client();
    client.send(head("POST /x", "Content-Length: 9000000")).send("x".repeat(100_000));
    const text = await client.all();
    expect(statusOf(text)).toBe(501);
    expect(text).toContain("Connection: close");
  });
});

describe("requests that two parsers could read differently are refused:", () => {
  const cases: [string, string, number][] = [
    ["a length beside chunks", head("POST /", "Content-Length: 3", "Transfer-Encoding: chunked"), 400],
    ["two lengths", head("POST /", "Content-Length: 3", "Content-Length: 4"), 400],
    ["a signed length", head("POST /", "Content-Length: +3"), 400],
    ["an unknown coding", head("POST /", "Transfer-Encoding: gzip, chunked"), 501],
    ["a space before the colon", head("GET /", "X : y"), 400],
    ["a folded line", head("GET /", "X: y", " z"), 400],
    ["a bare line feed", "GET / HTTP/1.1\nHost: x\r\n\r\n", 400],
    ["a control character", head("GET /", "X: a\x01b"), 400],
    ["no host", "GET / HTTP/1.1\r\n\r\n", 400],
    ["two hosts", head("GET /", "Host: y"), 400],
    ["a bad escape", head("GET /%zz"), 400],
    ["no HTTP at all", "\x16\x03\x01\x02\x00\r\n\r\n", 400],
    ["a head without end", `GET / HTTP/1.1\r\nX: ${"y".repeat(1_100_000)}`, 431],
  ];
  for (const [name, bytes, status] of cases) {
    test(name, async () => {
      let calls = 0;
      await serve(() => {
        calls++;
        return { status: 200, body: "served" };
      });
      const client = new Client();
      client.send(bytes);
      expect(statusOf(await client.all())).toBe(status);
      expect(calls).toBe(0);
    });
  }

  test("broken chunks", async () => {
    const seen: unknown[] = [];
    await serve(async (request) => {
      await readAll(request).catch((error: unknown) => seen.push(error));
      return { status: 400, body: "" };
    });
    const client = new Client();
    client.send(`${head("POST /", "Transfer-Encoding: chunked")}3\r\nabcd\r\n`);
    expect(await client.all()).toContain("Connection: close");
    expect(String(seen[0])).toContain("malformed chunked encoding");
  });
});

describe("streams", () => {
  test("send their head at once and each chunk as it comes", async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    await serve(() => ({
      status: 200,
      body: (async function* () {
        await gate;
        yield "later";
      })(),
    }));
    const client = new Client();
    client.send(head("GET /"));
    expect(await client.until("\r\n\r\n")).toContain("Transfer-Encoding: chunked");
    release();
    expect(await client.until("0\r\n\r\n")).toContain("\r\n5\r\nlater\r\n0\r\n\r\n");
    client.socket.destroy();
  });

  test("and waiting handlers are aborted when the client goes", async () => {
    const aborted = Promise.withResolvers<string>();
    await serve((request) => ({
      status: 200,
      body: (async function* () {
        yield "x";
        await new Promise<void>((resolve) => request.signal.addEventListener("abort", () => resolve()));
        aborted.resolve(request.path);
      })(),
    }));
    const client = new Client();
    client.send(head("GET /events"));
    await client.until("x");
    client.socket.destroy();
    expect(await aborted.promise).toBe("/events");
  });

  test("that fail break the connection, so that nobody takes them for whole", async () => {
    await serve(() => ({
      status: 200,
      body: (async function* () {
        yield "part";
        throw new Error("disk");
      })(),
    }));
    const client = new Client();
    client.send(head("GET /"));
    expect(await client.all()).not.toContain("0\r\n\r\n");
    expect(String(errors[0])).toContain("disk");
  });

  test("carry large bodies both ways, bytes intact", async () => {
    const block = Buffer.from(Array.from({ length: 256 * 1024 }, (_, index) => (index * 7) & 0xff));
    const hash = (chunks: number) => {
      const hasher = new Bun.CryptoHasher("sha256");
      for (let i = 0; i < chunks; i++) hasher.update(block);
      return hasher.digest("hex");
    };
    await serve(async (request) => {
      if (request.method === "GET") {
        const blocks = async function* () {
          for (let i = 0; i < 64; i++) yield block;
        };
        return { status: 200, body: blocks() };
      }
      const hasher = new Bun.CryptoHasher("sha256");
      for await (const chunk of request.body) {
        hasher.update(chunk);
        // A slow reader: the socket must be held back, not the memory filled.
        if (Math.random() < 0.01) await Bun.sleep(1);
      }
      return { status: 200, body: hasher.digest("hex") };
    });
    const down = await fetch("http://x/", { unix: path });
    expect(new Bun.CryptoHasher("sha256").update(await down.arrayBuffer()).digest("hex")).toBe(hash(64));
    const body = new Blob(Array.from({ length: 64 }, () => block));
    const up = await fetch("http://x/", { unix: path, method: "PUT", body });
    expect(await up.text()).toBe(hash(64));
  });

  test("to a client that does not read are held back", async () => {
    let yielded = 0;
    const block = Buffer.alloc(256 * 1024);
    await serve(() => ({
      status: 200,
      body: (async function* () {
        for (;;) {
          yielded++;
          yield block;
        }
      })(),
    }));
    const socket = connect({ path });
    socket.pause();
    socket.write(head("GET /"));
    await Bun.sleep(150);
    const before = yielded;
    await Bun.sleep(100);
    expect(yielded).toBe(before);
    expect(yielded).toBeLessThan(40);
    socket.destroy();
  });
});

describe("hijacked connections", () => {
  const echo = () =>
    serve((request) => ({
      status: request.headers.has("upgrade") ? 101 : 200,
      headers: { "Content-Type": "application/vnd.docker.raw-stream" },
      upgrade: (client) =>
        new Promise<void>((resolve) => {
          client.on("data", (chunk: Buffer) => client.write(`<${chunk}>`));
          client.on("end", () => {
            client.write("bye");
            resolve();
          });
        }),
    }));

  for (const headers of [["Connection: Upgrade", "Upgrade: tcp"], []]) {
    test(`${headers.length > 0 ? "with" : "without"} Upgrade carry early bytes, both directions and half-close`, async () => {
      await echo();
      const client = new Client();
      client.send(`${head("POST /attach", ...headers)}early`);
      await client.until("<early>");
      client.send("more");
      await client.until("<more>");
      client.socket.end();
      const text = await client.all();
      expect(text).toStartWith(headers.length > 0 ? "HTTP/1.1 101 UPGRADED\r\n" : "HTTP/1.1 200 OK\r\n");
      expect(text).toEndWith("<more>bye");
      expect(text).not.toContain("Content-Length");
    });
  }

  test("deliver everything that was written before they end", async () => {
    const block = Buffer.alloc(8 * 1024 * 1024, 120);
    await serve(() => ({ status: 101, upgrade: async (client) => void client.write(block) }));
    const client = new Client();
    client.send(head("POST /", "Upgrade: tcp"));
    const text = await client.all();
    expect(text.length - text.indexOf("\r\n\r\n") - 4).toBe(block.length);
  });
});

test("closing lets a request in work finish and idle connections go", async () => {
  let release = () => {};
  const started = Promise.withResolvers<void>();
  await serve(async () => {
    started.resolve();
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    return { status: 200, body: "finished" };
  });
  const idle = new Client();
  const busy = new Client();
  busy.send(head("GET /"));
  await started.promise;
  const closed = server.close(2000);
  await idle.all();
  release();
  expect(await busy.all()).toContain("finished");
  await closed;
});

test("closing does not wait for streams and hijacked connections", async () => {
  await serve((request) =>
    request.path === "/events"
      ? {
          status: 200,
          body: (async function* () {
            yield "begun";
            await new Promise<void>((resolve) => request.signal.addEventListener("abort", () => resolve()));
          })(),
        }
      : { status: 101, upgrade: () => new Promise(() => {}) },
  );
  const [events, attached] = [new Client(), new Client()];
  events.send(head("GET /events"));
  attached.send(head("POST /attach", "Upgrade: tcp"));
  await events.until("begun");
  await attached.until("101");
  const started = performance.now();
  await server.close(20_000);
  expect(performance.now() - started).toBeLessThan(2000);
  expect(await events.all()).toEndWith("0\r\n\r\n");
  await attached.all();
});
