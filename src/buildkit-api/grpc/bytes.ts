/** Bytes as messages: BuildKit's services for files, agents and tunnels have a `BytesMessage` each, all of one form. */
import { bytesMessage } from "../protocol/messages.ts";
import type { MessageStream } from "./stream.ts";

/** Well below gRPC's own limit on messages, 4 MiB by default. */
const pieceSize = 1 << 20;

/** Resolves when there is room for more. */
export async function writeBytes(messages: MessageStream, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += pieceSize) {
    await messages.write(bytesMessage.encode({ data: bytes.subarray(at, at + pieceSize) }));
  }
}

export async function* readBytes(messages: MessageStream): AsyncGenerator<Uint8Array> {
  for await (const message of messages) yield bytesMessage.decode(message).data;
}
