/** A connection inside a call: its bytes are the call's messages. Clients that share a session between builds open it so. */
import { Duplex } from "node:stream";
import type { Call } from "../grpc/server.ts";
import { bytesMessage } from "../protocol/messages.ts";

/** gRPC's own limit on messages is 4 MiB by default. */
const pieceSize = 1 << 20;

export function tunnel({ messages, signal }: Call): Duplex {
  const duplex = new Duplex({
    // The HTTP/2 inside has windows of its own, which bound what is under way.
    read() {},
    write(chunk: Buffer, _encoding, done) {
      send(chunk).then(() => done(), done);
    },
    final(done) {
      done();
    },
  });
  async function send(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; at += pieceSize) {
      await messages.write(bytesMessage.encode({ data: chunk.subarray(at, at + pieceSize) }));
    }
  }
  async function receive(): Promise<void> {
    for await (const message of messages) {
      const { data } = bytesMessage.decode(message);
      if (data.length > 0) duplex.push(data);
    }
  }
  // The client waits for the call's end once it has said that it sends no more.
  const close = () => duplex.destroy();
  receive().then(close, close);
  signal.addEventListener("abort", () => duplex.destroy(), { once: true });
  return duplex;
}
