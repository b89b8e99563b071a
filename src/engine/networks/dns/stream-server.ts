/** DNS by TCP (RFC 7766): each message after its length in two bytes, many of them on a connection, answered as they get ready. */
import type { Socket, TCPSocketListener } from "bun";

interface Connection {
  received: Buffer;
}

/** A connection that says nothing for so long is closed, in seconds. */
const idleSeconds = 10;

export class StreamServer {
  private readonly answer: (message: Uint8Array) => Promise<Buffer | undefined>;
  private listener: TCPSocketListener<Connection> | undefined;

  constructor(answer: (message: Uint8Array) => Promise<Buffer | undefined>) {
    this.answer = answer;
  }

  /** Synchronous, so that it may run inside another network namespace. Throws EADDRINUSE. */
  listen(hostname: string, port: number): void {
    this.listener = Bun.listen<Connection>({
      hostname,
      port,
      socket: {
        open(socket) {
          socket.data = { received: Buffer.alloc(0) };
          socket.timeout(idleSeconds);
        },
        data: (socket, bytes) => this.read(socket, bytes),
        timeout: (socket) => void socket.end(),
        error: (socket) => void socket.end(),
      },
    });
  }

  /** Where it listens; 0: it does not. */
  get port(): number {
    return this.listener?.port ?? 0;
  }

  /** Idempotent; connections are cut. */
  close(): void {
    this.listener?.stop(true);
    this.listener = undefined;
  }

  private read(socket: Socket<Connection>, bytes: Buffer): void {
    const { data } = socket;
    data.received = Buffer.concat([data.received, bytes]);
    socket.timeout(idleSeconds);
    while (data.received.length >= 2) {
      const length = data.received.readUInt16BE(0);
      if (data.received.length < 2 + length) return;
      const message = data.received.subarray(2, 2 + length);
      data.received = data.received.subarray(2 + length);
      void this.reply(socket, message);
    }
  }

  private async reply(socket: Socket<Connection>, message: Uint8Array): Promise<void> {
    const answer = await this.answer(message);
    if (!answer) return;
    const frame = Buffer.alloc(2 + answer.length);
    frame.writeUInt16BE(answer.length);
    frame.set(answer, 2);
    // A client that reads this slowly loses its answer, not the daemon its memory.
    if (socket.write(frame) < frame.length) socket.end();
  }
}
