import { expect, test } from "bun:test";
import { Duplex } from "node:stream";
import { frame } from "../../api/stdcopy.ts";
import { reframe } from "./reframe.ts";

async function written(framed: boolean, ...chunks: Uint8Array[]): Promise<string> {
  const received: Buffer[] = [];
  const client = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      received.push(chunk);
      done();
    },
  });
  const output = reframe(client, framed);
  for (const chunk of chunks) output.write(chunk);
  await new Promise<void>((resolve) => output.end(resolve));
  return Buffer.concat(received).toString("latin1");
}

test("a terminal's output is framed for a client that said it has none", async () => {
  expect(await written(false, Buffer.from("57 123\r\n"))).toBe("\x01\0\0\0\0\0\0\x0857 123\r\n");
});

test("framed output loses its frames for a client that said it has a terminal, also where a frame comes in pieces", async () => {
  const bytes = Buffer.concat([frame("stdout", Buffer.from("out\n")), frame("stderr", Buffer.from("err\n"))]);
  expect(await written(true, bytes.subarray(0, 10), bytes.subarray(10))).toBe("out\nerr\n");
});
