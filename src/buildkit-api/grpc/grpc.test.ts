import { afterEach, expect, test } from "bun:test";
import { connect, createServer, type Socket } from "node:net";
import { GrpcClient } from "./client.ts";
import { type Method, serveGrpc } from "./server.ts";
import { codes, GrpcError } from "./status.ts";

const open: Disposable[] = [];
afterEach(() => {
  for (const item of open.splice(0)) item[Symbol.dispose]();
});

/** A client and what it calls, with a real connection between them. */
async function pair(methods: Record<string, Method>): Promise<{ client: GrpcClient; socket: Socket }> {
  const server = createServer((socket) => void serveGrpc(socket, new Map(Object.entries(methods))));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const socket = connect(port, "127.0.0.1");
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  const client = new GrpcClient(socket);
  open.push({ [Symbol.dispose]: () => client.close() }, { [Symbol.dispose]: () => void server.close() });
  return { client, socket };
}

const echo: Method = async ({ messages }) => {
  for await (const message of messages) await messages.write(message);
};

test("many calls at once, messages larger than every window, both ways", async () => {
  const { client } = await pair({ "/echo": echo });
  const call = async (size: number) => {
    const { messages, end } = client.open("/echo");
    const sent = Buffer.alloc(size, size % 251);
    const writing = messages.write(sent).then(end);
    const received = await messages.one();
    await writing;
    expect(received.equals(sent)).toBe(true);
  };
  await Promise.all([...Array.from({ length: 50 }, (_, index) => call(index)), call(3_000_000), call(5_000_000)]);
});

test("a reader that is slow holds up its own stream, and no other", async () => {
  const { client } = await pair({ "/echo": echo, "/ignore": async () => new Promise(() => {}) });
  const slow = client.open("/ignore");
  let sent = 0;
  const flood = async () => {
    for (let count = 0; count < 100; count++) {
      await slow.messages.write(Buffer.alloc(100_000));
      sent++;
    }
  };
  const flooding = flood().catch(() => undefined);
  expect((await client.unary("/echo", Buffer.from("hi"))).toString()).toBe("hi");
  expect(sent).toBeLessThan(100);
  slow.cancel();
  await flooding;
});

test("errors: message, code, details; unknown methods; what a method throws by accident", async () => {
  const { client } = await pair({
    "/fail": async () => {
      throw new GrpcError(codes.notFound, "nothing: 100% ü", [{ type_url: "x/y", value: Buffer.from("detail") }]);
    },
    "/crash": async () => {
      throw new TypeError("oops");
    },
  });
  const failure = (path: string) => client.unary(path, Buffer.alloc(0)).catch((error: GrpcError) => error);
  expect(await failure("/fail")).toMatchObject({ code: codes.notFound, message: "nothing: 100% ü" });
  expect(await failure("/crash")).toMatchObject({ code: codes.unknown, message: "oops" });
  expect(await failure("/nothere")).toMatchObject({ code: codes.unimplemented, message: "unknown method /nothere" });
});

test("who gives up a call is heard, and so is who goes", async () => {
  const aborted: string[] = [];
  const waiting: Method = ({ signal, headers }) =>
    new Promise((resolve) => {
      signal.addEventListener("abort", () => {
        aborted.push(headers.get("name") ?? "");
        resolve();
      });
    });
  const { client, socket } = await pair({ "/wait": waiting });
  const call = client.open("/wait", { name: "cancelled" });
  await Bun.sleep(50);
  call.cancel();
  await Bun.sleep(50);
  expect(aborted).toEqual(["cancelled"]);
  const left = client.open("/wait", { name: "left" });
  await Bun.sleep(50);
  socket.destroy();
  await expect(left.messages.one()).rejects.toThrow("the stream was closed");
  await Bun.sleep(50);
  expect(aborted).toEqual(["cancelled", "left"]);
});

test("what is no HTTP/2 ends the connection, not the process", async () => {
  const server = createServer((socket) => void serveGrpc(socket, new Map()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push({ [Symbol.dispose]: () => void server.close() });
  const { port } = server.address() as { port: number };
  const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const hostile = [
    Buffer.from("GET / HTTP/1.1\r\n\r\n".repeat(4)),
    Buffer.from(`${preface}\xff\xff\xff\x00\x00\x00\x00\x00\x01`, "latin1"),
    Buffer.from(`${preface}\x00\x00\x01\x01\x04\x00\x00\x00\x01\xff`, "latin1"),
    Buffer.from(`${preface}\x00\x00\x00\x08\x00\x00\x00\x00\x00`, "latin1"),
    Buffer.from(`${preface}\x00\x00\x00\x09\x00\x00\x00\x00\x03`, "latin1"),
  ];
  for (const bytes of hostile) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.resume();
    socket.write(bytes);
    await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  }
});
