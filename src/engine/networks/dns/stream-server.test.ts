import { afterEach, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { StreamServer } from "./stream-server.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function serve(answer: (message: Uint8Array) => Promise<Buffer | undefined>): Promise<Socket> {
  const server = new StreamServer(answer);
  server.listen("127.0.0.1", 0);
  cleanups.push(() => server.close());
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, "127.0.0.1", () => resolve(socket));
    socket.on("error", reject);
    cleanups.push(() => socket.destroy());
  });
}

const frame = (text: string) => Buffer.concat([Buffer.from([0, text.length]), Buffer.from(text)]);

/** Resolves when so many bytes have come. */
function receive(socket: Socket, length: number): Promise<string> {
  let received = "";
  return new Promise((resolve) =>
    socket.on("data", (data) => {
      received += data.toString("latin1");
      if (received.length >= length) resolve(received);
    }),
  );
}

test("several messages on one connection, in whatever pieces they come", async () => {
  const socket = await serve(async (message) => Buffer.from(Buffer.from(message).toString().toUpperCase()));
  const answers = receive(socket, 10);
  const bytes = Buffer.concat([frame("one"), frame("two")]);
  socket.write(bytes.subarray(0, 4));
  await Bun.sleep(1);
  socket.write(bytes.subarray(4));
  expect(await answers).toBe("\0\x03ONE\0\x03TWO");
});

test("a message without an answer gets none, and the next one its own", async () => {
  const socket = await serve(async (message) => (message.length > 1 ? Buffer.from("yes") : undefined));
  const answers = receive(socket, 5);
  socket.write(Buffer.concat([frame("x"), frame("xy")]));
  expect(await answers).toBe("\0\x03yes");
});

test("closed, it listens no more and cuts connections", async () => {
  const server = new StreamServer(async () => undefined);
  server.listen("127.0.0.1", 0);
  const socket = connect(server.port, "127.0.0.1");
  const ended = new Promise((resolve) => socket.on("close", resolve));
  await new Promise((resolve) => socket.on("connect", resolve));
  server.close();
  server.close();
  await ended;
  expect(server.port).toBe(0);
});
