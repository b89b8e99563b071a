import { afterEach, expect, test } from "bun:test";
import { type AddressInfo, createServer } from "node:net";
import type { Duplex } from "node:stream";
import { frame } from "../../api/stdcopy.ts";
import type { AttachSession } from "../backends.ts";
import { fakeHandler } from "../fake-engine.ts";
import { HttpServer } from "./http-server.ts";
import { acceptKey } from "./websocket.ts";

let server: HttpServer | undefined;

afterEach(async () => {
  await server?.close(0);
});

async function open(session: AttachSession, version = ""): Promise<WebSocket> {
  const handler = fakeHandler({ containers: { attach: async () => session } });
  server = new HttpServer({ handler, onError: (error) => console.error(error) });
  const listener = createServer({ allowHalfOpen: true });
  server.attach(listener);
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  const socket = new WebSocket(`ws://127.0.0.1:${port}${version}/containers/c/attach/ws?stream=1&stdin=1&stdout=1`);
  socket.binaryType = "arraybuffer";
  return socket;
}

/** Everything received until the server closes. */
function received(socket: WebSocket, onMessage: (text: string, socket: WebSocket) => void = () => {}) {
  return new Promise<{ messages: unknown[]; code: number }>((resolve) => {
    const messages: unknown[] = [];
    socket.onmessage = ({ data }) => {
      const text = typeof data === "string" ? data : Buffer.from(data as ArrayBuffer).toString();
      messages.push(text);
      onMessage(text, socket);
    };
    socket.onclose = ({ code }) => resolve({ messages, code });
  });
}

test("the handshake's key is RFC 6455's own example", () => {
  expect(acceptKey("dGhlIHNhbXBsZSBub25jZQ==")).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

test("attach over WebSocket carries both directions, without stdcopy's framing", async () => {
  const socket = await open({
    multiplexed: true,
    serve: (client: Duplex) =>
      new Promise((resolve) => {
        client.on("data", (chunk: Buffer) => {
          client.write(frame("stdout", Buffer.from(`out ${chunk}`)));
          client.write(frame("stderr", Buffer.from("err")));
          resolve();
        });
      }),
  });
  socket.onopen = () => socket.send("hi");
  const { messages, code } = await received(socket);
  expect(messages).toEqual(["out hi", "err"]);
  expect(code).toBe(1000);
});

test("a client's close is the end of stdin; large messages come whole", async () => {
  const sizes: number[] = [];
  const ended = Promise.withResolvers<number>();
  const socket = await open({
    multiplexed: false,
    serve: (client: Duplex) =>
      new Promise((resolve) => {
        client.write(Buffer.alloc(300_000, 97));
        client.on("data", (chunk: Buffer) => sizes.push(chunk.length));
        client.on("end", () => {
          ended.resolve(sizes.reduce((sum, size) => sum + size, 0));
          resolve();
        });
      }),
  });
  let got = 0;
  await received(socket, (text, open) => {
    got += text.length;
    if (got < 300_000) return;
    open.send(Buffer.alloc(200_000));
    open.close();
  });
  expect(await ended.promise).toBe(200_000);
  expect(got).toBe(300_000);
});
