/**
 * Load over HTTP/1.1 on connections that stay open, one request at a time on each. It reads no more of an answer than it must, so that on a
 * machine of few cores the server is measured and not its client.
 */
export interface LoadRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array;
}

export interface LoadResponse {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** Of the body. */
  readonly bytes: number;
}

export interface LoadResult {
  readonly perSecond: number;
  readonly bytesPerSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Each connection takes work until there is none: `next` does one unit on it and returns the bytes moved, or undefined at the end. */
export async function load(
  port: number,
  connections: number,
  next: (send: (request: LoadRequest) => Promise<LoadResponse>) => Promise<number | undefined>,
): Promise<LoadResult> {
  const opened = await Promise.all(Array.from({ length: connections }, () => Connection.open(port)));
  const millis: number[] = [];
  let bytes = 0;
  const began = performance.now();
  await Promise.all(
    opened.map(async (connection) => {
      const send = (request: LoadRequest) => connection.send(request);
      for (;;) {
        const start = performance.now();
        const moved = await next(send);
        if (moved === undefined) return;
        millis.push(performance.now() - start);
        bytes += moved;
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  for (const connection of opened) connection.close();
  millis.sort((a, b) => a - b);
  const at = (share: number) => millis[Math.min(millis.length - 1, Math.floor(millis.length * share))] ?? 0;
  return { perSecond: millis.length / seconds, bytesPerSecond: bytes / seconds, p50: at(0.5), p99: at(0.99) };
}

const headEnd = Buffer.from("\r\n\r\n");

class Connection {
  private readonly socket: Bun.Socket;
  private head: Buffer = Buffer.alloc(0);
  private response: LoadResponse | undefined;
  private left = 0;
  private isHead = false;
  private unsent: Uint8Array = new Uint8Array();
  private done: PromiseWithResolvers<LoadResponse> = Promise.withResolvers();

  private constructor(socket: Bun.Socket) {
    this.socket = socket;
  }

  static async open(port: number): Promise<Connection> {
    let connection: Connection | undefined;
    const socket = await Bun.connect({
      ...{ hostname: "127.0.0.1", port },
      socket: {
        data: (_, chunk) => connection?.receive(chunk),
        drain: () => connection?.flush(),
        close: () => connection?.done.reject(new Error("the server closed the connection")),
      },
    });
    socket.setNoDelay(true);
    connection = new Connection(socket);
    return connection;
  }

  send({ method, path, headers = {}, body }: LoadRequest): Promise<LoadResponse> {
    this.done = Promise.withResolvers();
    this.isHead = method === "HEAD";
    const lines = Object.entries({ host: "registry", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    if (body || method === "POST" || method === "PUT") lines.push(`content-length: ${body?.length ?? 0}\r\n`);
    const head = Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
    this.unsent = body ? Buffer.concat([head, body]) : head;
    this.flush();
    return this.done.promise;
  }

  close(): void {
    this.done.promise.catch(() => undefined);
    this.socket.end();
  }

  private flush(): void {
    if (this.unsent.length === 0) return;
    const written = this.socket.write(this.unsent);
    this.unsent = this.unsent.subarray(Math.max(0, written));
  }

  private receive(chunk: Buffer): void {
    if (this.response) {
      this.count(chunk.length);
      return;
    }
    this.head = this.head.length === 0 ? chunk : Buffer.concat([this.head, chunk]);
    const end = this.head.indexOf(headEnd);
    if (end < 0) return;
    const [first = "", ...rest] = this.head.toString("latin1", 0, end).split("\r\n");
    const headers = new Map(
      rest.map((line): [string, string] => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    if (headers.has("transfer-encoding")) throw new Error("an answer in chunks: the load reads none");
    const bytes = this.isHead ? 0 : Number(headers.get("content-length") ?? 0);
    this.response = { status: Number(first.split(" ")[1]), headers, bytes };
    this.left = bytes;
    const more = this.head.length - end - headEnd.length;
    this.head = Buffer.alloc(0);
    this.count(more);
  }

  private count(bytes: number): void {
    this.left -= bytes;
    if (this.left > 0) return;
    const { response } = this;
    this.response = undefined;
    if (response) this.done.resolve(response);
  }
}
