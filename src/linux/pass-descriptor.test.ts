import { expect, test } from "bun:test";
import { readSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { takeSocket } from "./pass-descriptor.ts";

test("a socket that was read and paused loses nothing when it is taken", async () => {
  const path = `/tmp/gantry-take-${process.pid}`;
  const accepted = Promise.withResolvers<Socket>();
  const listener = createServer({ allowHalfOpen: true }, accepted.resolve);
  await new Promise<void>((resolve) => listener.listen(path, resolve));
  using _listener = { [Symbol.dispose]: () => void listener.close() };
  const client = connect({ path });
  const piece = Buffer.alloc(4096, "x");
  const pieces = 100;
  const sending = (async () => {
    for (let sent = 0; sent < pieces; sent++) {
      client.write(piece);
      if (sent % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const socket = await accepted.promise;
  let size = 0;
  await new Promise<void>((resolve) => {
    const listen = (chunk: Buffer) => {
      size += chunk.length;
      if (size < piece.length * 20) return;
      socket.pause();
      socket.off("data", listen);
      resolve();
    };
    socket.on("data", listen);
  });
  await sending;
  await Bun.sleep(20);
  const taken = await takeSocket(socket);
  size += taken?.ahead.length ?? 0;
  size += await readAll(taken?.descriptor ?? -1);
  expect(size).toBe(piece.length * pieces);
  socket.destroy();
  client.destroy();
});

/** What another process would read. The client writes meanwhile. */
async function readAll(descriptor: number): Promise<number> {
  const buffer = Buffer.alloc(1 << 20);
  let size = 0;
  for (let idle = 0; idle < 20; idle++) {
    await Bun.sleep(2);
    try {
      size += readSync(descriptor, buffer);
      idle = 0;
    } catch (error) {
      expect(error).toHaveProperty("code", "EAGAIN");
    }
  }
  return size;
}
