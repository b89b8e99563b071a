/** Writes responses to a socket, waiting for slow readers. Rejects when the client is gone. */
import type { Socket } from "node:net";
import { isPiped, type PipedBytes } from "../../base/streams.ts";
import { writableDescriptor } from "../../linux/pass-descriptor.ts";
import type { BodyChunk, HttpResponse } from "./message.ts";
import type { Relay } from "./relay.ts";

export interface ResponseFraming {
  /** The request's method was HEAD: no body is sent, whatever there is. */
  headOnly: boolean;
  http11: boolean;
  /** False adds `Connection: close`. */
  keepAlive: boolean;
}

const reasons: Record<number, string> = {
  100: "Continue",
  101: "UPGRADED",
  200: "OK",
  201: "Created",
  204: "No Content",
  301: "Moved Permanently",
  304: "Not Modified",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Request Entity Too Large",
  417: "Expectation Failed",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
};

/** From this size on a second system call is cheaper than a copy. */
const copyLimit = 32 * 1024;

export class ResponseWriter {
  private readonly socket: Socket;
  private readonly relay: Relay | undefined;
  private date = { second: 0, text: "" };

  constructor(socket: Socket, relay?: Relay) {
    this.socket = socket;
    this.relay = relay;
  }

  /** Sends a whole response; for a streamed body resolves after its last chunk. True when the connection may carry another request. */
  async send(response: HttpResponse, framing: ResponseFraming): Promise<boolean> {
    const { body, status } = response;
    const bodyless = framing.headOnly || status === 204 || status === 304;
    if (body === undefined || typeof body === "string" || body instanceof Uint8Array) {
      const bytes = Buffer.from(body ?? "");
      const length = status === 204 || status === 304 ? {} : { "Content-Length": String(bytes.length) };
      const head = this.head(response, { ...length }, framing);
      await this.write(bodyless || bytes.length === 0 ? head : Buffer.concat([Buffer.from(head, "latin1"), bytes]));
      return framing.keepAlive;
    }
    const chunked = framing.http11 && response.headers?.["Content-Length"] === undefined;
    const keepAlive = framing.keepAlive && framing.http11;
    await this.write(this.head(response, chunked ? { "Transfer-Encoding": "chunked" } : {}, { ...framing, keepAlive }));
    if (this.relay && !bodyless && isPiped(body) && writableDescriptor(this.socket) !== undefined)
      await this.carry(body, this.relay, chunked);
    else await this.stream(body, { bodyless, chunked });
    return keepAlive;
  }

  /** The head of a response whose connection is taken over: nothing but what the route gave. */
  async sendUpgrade(response: HttpResponse): Promise<void> {
    await this.write(`${statusLine(response.status)}${headerLines(response.headers)}\r\n`);
  }

  async sendContinue(): Promise<void> {
    await this.write(`${statusLine(100)}\r\n`);
  }

  private async stream(body: AsyncIterable<BodyChunk>, { bodyless = false, chunked = false }): Promise<void> {
    const iterator = body[Symbol.asyncIterator]();
    const closed = this.watchClose();
    try {
      while (!bodyless) {
        const next = await closed.orResult(iterator.next());
        if (next === "closed") throw new Error("client closed the connection");
        if (next.done) break;
        const bytes = typeof next.value === "string" ? Buffer.from(next.value) : next.value;
        if (bytes.length === 0) continue;
        if (chunked) await this.writeChunk(bytes);
        else await this.write(bytes);
      }
      if (chunked && !bodyless) await this.write("0\r\n\r\n");
    } finally {
      closed.dispose();
      // Not awaited: a generator that is in the middle of a wait returns only after it, and the abort signal ends that.
      iterator.return?.()?.catch(() => {});
    }
  }

  /** A body that comes out of a pipe: a large one goes on to the client without us. */
  private async carry(body: PipedBytes, relay: Relay, chunked: boolean): Promise<void> {
    const { socket } = this;
    const gone = new AbortController();
    const leave = () => gone.abort();
    socket.once("close", leave);
    try {
      await body.through(
        (chunk) => this.flush(chunked ? frame(chunk) : chunk),
        async (pipe) => {
          const descriptor = writableDescriptor(socket);
          const framing = chunked ? "chunked" : "plain";
          const outcome = descriptor === undefined ? "gone" : await relay.out(pipe, descriptor, framing, gone.signal);
          if (outcome !== "carried") throw new Error("client closed the connection");
        },
      );
    } finally {
      socket.off("close", leave);
    }
    if (chunked) await this.write("0\r\n\r\n");
  }

  /** Writes and waits until nothing is left to be written. */
  private flush(chunk: Uint8Array): Promise<void> {
    const { socket } = this;
    return new Promise((resolve, reject) => {
      const onClose = () => reject(new Error("client closed the connection"));
      if (socket.destroyed) return onClose();
      socket.once("close", onClose);
      socket.write(chunk, (error) => {
        socket.off("close", onClose);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** One chunk of the chunked coding: small ones in one write, large ones without copying them. */
  private async writeChunk(bytes: Uint8Array): Promise<void> {
    if (bytes.length < copyLimit) {
      await this.write(frame(bytes));
      return;
    }
    this.socket.write(`${bytes.length.toString(16)}\r\n`, "latin1");
    this.socket.write(bytes);
    await this.write("\r\n");
  }

  /**
   * A body that waits for something (a log, an event) must end when the client goes, not at its next chunk. Not Promise.race with one
   * lasting promise: that would keep something of every chunk until the end.
   */
  private watchClose() {
    let onClose = () => {};
    const listener = () => onClose();
    this.socket.once("close", listener);
    return {
      dispose: () => this.socket.off("close", listener),
      orResult: <T>(result: Promise<T>): Promise<T | "closed"> =>
        new Promise((resolve, reject) => {
          onClose = () => resolve("closed");
          if (this.socket.destroyed) onClose();
          result.then(resolve, reject);
        }),
    };
  }

  private head(response: HttpResponse, extra: Record<string, string>, framing: ResponseFraming): string {
    const close = framing.keepAlive ? "" : "Connection: close\r\n";
    const lines = headerLines({ ...response.headers, Date: this.now(), ...extra });
    return `${statusLine(response.status)}${lines}${close}\r\n`;
  }

  private now(): string {
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.date.second) this.date = { second, text: new Date(second * 1000).toUTCString() };
    return this.date.text;
  }

  private async write(chunk: BodyChunk): Promise<void> {
    const { socket } = this;
    if (socket.destroyed) throw new Error("client closed the connection");
    if (typeof chunk === "string" ? socket.write(chunk, "latin1") : socket.write(chunk)) return;
    await new Promise<void>((resolve, reject) => {
      const settle = (done: () => void) => () => {
        socket.off("drain", onDrain);
        socket.off("close", onClose);
        done();
      };
      const onDrain = settle(resolve);
      const onClose = settle(() => reject(new Error("client closed the connection")));
      socket.once("drain", onDrain);
      socket.once("close", onClose);
    });
  }
}

function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${reasons[status] ?? "Status"}\r\n`;
}

function headerLines(headers: Record<string, string> = {}): string {
  let lines = "";
  for (const [name, value] of Object.entries(headers)) lines += `${name}: ${value.replace(/[\r\n]+/g, " ")}\r\n`;
  return lines;
}

function frame(bytes: Uint8Array): Buffer {
  const head = `${bytes.length.toString(16)}\r\n`;
  const framed = Buffer.allocUnsafe(head.length + bytes.length + 2);
  framed.write(head, 0, "latin1");
  framed.set(bytes, head.length);
  framed.write("\r\n", head.length + bytes.length, "latin1");
  return framed;
}
