/**
 * Hijacked connections: a POST with `Connection: Upgrade, Upgrade: tcp`, after which the socket carries raw bytes both ways and each side
 * can be closed on its own. Both `101 UPGRADED` and the older plain `200 OK` answers are understood.
 */
import { toApiError } from "./client-error.ts";
import type { Endpoint } from "./endpoint.ts";

export interface HijackedStream extends AsyncIterable<Uint8Array> {
  /** `application/vnd.docker.multiplexed-stream`, `application/vnd.docker.raw-stream`, or empty from an old daemon. */
  readonly mediaType: string;
  /** Resolves when the bytes are handed to the kernel. Rejects when the connection is gone. */
  write(chunk: Uint8Array): Promise<void>;
  /** Ends our side; the other may go on sending. */
  closeWrite(): void;
  close(): void;
}

export interface HijackRequest {
  readonly headers: Record<string, string>;
  readonly body?: unknown;
  /** The protocol asked for; `tcp` unless given. */
  readonly upgrade?: string;
}

/** Sends the request and resolves once the connection is ours. Throws ApiError on any other answer, or the connection's error. */
export async function openHijack(endpoint: Endpoint, target: string, request: HijackRequest): Promise<HijackedStream> {
  const connection = new Connection();
  await connection.open(endpoint);
  await connection.write(new TextEncoder().encode(requestHead(endpoint, target, request)));
  const head = await connection.readHead();
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0);
  const header = (name: string) => new RegExp(`^${name}:[ \\t]*(.*?)\\r?$`, "im").exec(head)?.[1] ?? "";
  if (status !== 101 && status !== 200) {
    const text = await connection.readErrorBody(header("content-length"), /chunked/i.test(header("transfer-encoding")));
    connection.close();
    throw toApiError(status, text, target);
  }
  return Object.assign(connection, { mediaType: header("content-type") });
}

function requestHead(endpoint: Endpoint, target: string, request: HijackRequest): string {
  const body = request.body === undefined ? "" : JSON.stringify(request.body);
  const headers: Record<string, string> = {
    Host: endpoint.unix !== undefined ? "localhost" : `${endpoint.host}:${endpoint.port}`,
    ...request.headers,
    Connection: "Upgrade",
    Upgrade: request.upgrade ?? "tcp",
    "Content-Type": body === "" ? "text/plain" : "application/json",
    "Content-Length": String(Buffer.byteLength(body)),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${target} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}

/** Received bytes beyond this pause the socket. */
const highWater = 1 << 20;

class Connection implements AsyncIterable<Uint8Array> {
  private socket: Bun.Socket<undefined> | undefined;
  private received: Uint8Array[] = [];
  private receivedBytes = 0;
  private paused = false;
  private ended = false;
  private failure: Error | undefined;
  private wakeReader: (() => void) | undefined;
  private wakeWriter: (() => void) | undefined;

  async open(endpoint: Endpoint): Promise<void> {
    const handlers = this.handlers();
    const common = { socket: handlers, allowHalfOpen: true, data: undefined };
    if (endpoint.unix !== undefined) {
      this.socket = await Bun.connect<undefined>({ ...common, unix: endpoint.unix });
      return;
    }
    const { tls } = endpoint;
    const secure = tls && {
      rejectUnauthorized: tls.verify,
      ...(tls.ca === undefined ? {} : { ca: tls.ca }),
      ...(tls.cert === undefined ? {} : { cert: tls.cert }),
      ...(tls.key === undefined ? {} : { key: tls.key }),
    };
    const target = { hostname: endpoint.host ?? "localhost", port: endpoint.port ?? 2375 };
    this.socket = await Bun.connect<undefined>({ ...common, ...target, ...(secure ? { tls: secure } : {}) });
  }

  private handlers(): Bun.SocketHandler<undefined> {
    const finish = (error?: Error | null) => {
      this.ended = true;
      if (error) this.failure ??= error;
      this.wakeReader?.();
      this.wakeWriter?.();
    };
    return {
      data: (socket, chunk) => {
        this.received.push(chunk);
        this.receivedBytes += chunk.length;
        if (this.receivedBytes > highWater && !this.paused) {
          this.paused = true;
          socket.pause();
        }
        this.wakeReader?.();
      },
      drain: () => this.wakeWriter?.(),
      end: () => finish(),
      close: (_socket, error) => finish(error),
      error: (_socket, error) => finish(error),
      connectError: (_socket, error) => finish(error),
    };
  }

  /** All bytes that have come, as they came; undefined at the end. */
  private async take(): Promise<Uint8Array | undefined> {
    while (this.received.length === 0) {
      if (this.ended) return undefined;
      await new Promise<void>((resolve) => {
        this.wakeReader = resolve;
      });
      this.wakeReader = undefined;
    }
    const chunk = this.received.shift();
    this.receivedBytes -= chunk?.length ?? 0;
    if (this.paused && this.receivedBytes < highWater / 2) {
      this.paused = false;
      this.socket?.resume();
    }
    return chunk;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = await this.take();
      if (chunk === undefined) return;
      yield chunk;
    }
  }

  /** The response head, up to its empty line; what follows stays to be read. */
  async readHead(): Promise<string> {
    let seen = Buffer.alloc(0);
    for (;;) {
      const chunk = await this.take();
      if (chunk === undefined) throw this.failure ?? new Error("unexpected end of the daemon's answer");
      seen = Buffer.concat([seen, chunk]);
      const at = seen.indexOf("\r\n\r\n");
      if (at < 0) continue;
      const rest = seen.subarray(at + 4);
      if (rest.length > 0) {
        this.received.unshift(rest);
        this.receivedBytes += rest.length;
      }
      return seen.toString("latin1", 0, at + 2);
    }
  }

  /** The body of an error answer: by length, chunked, or up to the end. */
  async readErrorBody(length: string, chunked: boolean): Promise<string> {
    let body = Buffer.alloc(0);
    const complete = () => (length !== "" ? body.length >= Number(length) : chunked && body.includes("0\r\n\r\n"));
    while (!complete()) {
      const chunk = await this.take();
      if (chunk === undefined) break;
      body = Buffer.concat([body, chunk]);
    }
    return chunked ? dechunk(body) : body.toString("utf8");
  }

  async write(chunk: Uint8Array): Promise<void> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.failure) throw this.failure;
      const written = this.socket?.write(rest) ?? -1;
      if (written < 0) throw new Error("write: broken pipe");
      rest = rest.subarray(written);
      if (rest.length === 0) return;
      await new Promise<void>((resolve) => {
        this.wakeWriter = resolve;
      });
      this.wakeWriter = undefined;
    }
  }

  closeWrite(): void {
    this.socket?.shutdown();
  }

  close(): void {
    this.ended = true;
    this.socket?.end();
    this.wakeReader?.();
    this.wakeWriter?.();
  }
}

function dechunk(body: Buffer): string {
  let out = "";
  let at = 0;
  for (;;) {
    const lineEnd = body.indexOf("\r\n", at);
    if (lineEnd < 0) return out;
    const size = Number.parseInt(body.toString("latin1", at, lineEnd), 16);
    if (!size) return out;
    out += body.toString("utf8", lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
}
