/** A connection inside a call: its bytes are the call's messages. Clients that share a session between builds open it so. */
import { Duplex } from "node:stream";
import { readBytes, writeBytes } from "../../buildkit-api/grpc/bytes.ts";
import type { Call } from "../../buildkit-api/grpc/server.ts";

export function tunnel({ messages, signal }: Call): Duplex {
  const duplex = new Duplex({
    // The HTTP/2 inside has windows of its own, which bound what is under way.
    read() {},
    write(chunk: Buffer, _encoding, done) {
      writeBytes(messages, chunk).then(() => done(), done);
    },
  });
  async function receive(): Promise<void> {
    for await (const bytes of readBytes(messages)) if (bytes.length > 0) duplex.push(bytes);
  }
  // The client waits for the call's end once it has said that it sends no more.
  const close = () => duplex.destroy();
  receive().then(close, close);
  signal.addEventListener("abort", close, { once: true });
  return duplex;
}
