/**
 * One client connection of HTTP/1.1: request after request in order, each with its own abort signal, until either side closes or a
 * response takes the socket over. Written on sockets rather than on node:http because hijacking without an `Upgrade` header, half-close
 * and back-pressure both ways are the heart of the Engine API. Never throws: what goes wrong ends the connection.
 */
import type { Socket } from "node:net";
import { ByteReader } from "./byte-reader.ts";
import type { HttpHandler, HttpResponse } from "./message.ts";
import { peerOf } from "./peer.ts";
import type { Relay } from "./relay.ts";
import { RequestBody } from "./request-body.ts";
import { HttpProtocolError, maxHeadBytes, parseRequestHead, type RequestHead } from "./request-head.ts";
import { ResponseWriter } from "./response-writer.ts";

/** A body that the handler did not want is read up to here, and for so long, to keep the connection; beyond, it is closed. */
const maxDiscard = 256 * 1024;
const discardMillis = 1000;

/** How long a client may take for the rest of a request's head, and to notice that we close. */
const headTimeoutMillis = 30_000;
const lingerMillis = 1_000;

/** How long a stream may take to end when the server closes. */
const cutMillis = 200;

export interface ConnectionOptions {
  handler: HttpHandler;
  /** Unexpected errors: of streamed bodies and hijacked connections. */
  onError: (error: unknown) => void;
  relay?: Relay;
}

export class Connection {
  private readonly socket: Socket;
  private readonly options: ConnectionOptions;
  private readonly reader: ByteReader;
  private readonly writer: ResponseWriter;
  private abort: AbortController | undefined;
  private phase: "idle" | "handling" | "streaming" = "idle";
  private closing = false;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.socket = socket;
    this.options = options;
    this.reader = new ByteReader(socket, () => this.abort?.abort());
    this.writer = new ResponseWriter(socket, options.relay);
    socket.on("error", () => socket.destroy());
  }

  /** Serves until the connection ends. */
  async run(): Promise<void> {
    try {
      while (!this.closing && (await this.serveOne()));
      await this.linger();
    } catch (error) {
      if (error instanceof HttpProtocolError) await this.refuse(error);
      else this.socket.destroy();
    }
  }

  /**
   * Ends the connection: at once when it is idle, after the answer while a handler works on it. Streams and hijacked connections may
   * have no end of their own: they are told by their abort signal, get a moment to finish, and are cut.
   */
  close(): void {
    this.closing = true;
    if (this.phase === "idle") this.socket.end();
    if (this.phase !== "streaming") return;
    this.abort?.abort();
    const timer = setTimeout(() => this.socket.destroy(), cutMillis);
    this.socket.once("close", () => clearTimeout(timer));
  }

  /** One request and its response; false when the connection carries no more. */
  private async serveOne(): Promise<boolean> {
    const head = await this.readHead();
    if (!head) return false;
    this.phase = "handling";
    const abort = new AbortController();
    this.abort = abort;
    let answered = false;
    const onStart = () => {
      if (head.expectsContinue && !answered) this.writer.sendContinue().catch(() => {});
    };
    const body = new RequestBody(this.reader, head.framing, onStart, this.options.relay);
    try {
      const { method, target, path, query, headers } = head;
      const peer = () => peerOf(this.socket);
      const request = {
        method,
        target,
        path,
        query,
        headers,
        body,
        bodyLength: body.length,
        signal: abort.signal,
        peer,
      };
      const response = await this.options.handler(request);
      answered = true;
      if (response.upgrade || isStream(response)) this.phase = "streaming";
      if (response.upgrade) {
        await this.takeOver(response, response.upgrade);
        return false;
      }
      return await this.respond(response, head, body);
    } finally {
      abort.abort();
      this.abort = undefined;
      this.phase = "idle";
    }
  }

  private async readHead(): Promise<RequestHead | undefined> {
    if (!(await this.reader.more())) return undefined;
    const timer = setTimeout(() => this.socket.destroy(), headTimeoutMillis);
    try {
      const bytes = await this.reader.takeUntil("\r\n\r\n", maxHeadBytes);
      return bytes ? parseRequestHead(bytes.toString("latin1")) : undefined;
    } catch (error) {
      if (error instanceof RangeError) throw new HttpProtocolError(431, "request header fields too large");
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  private async respond(response: HttpResponse, head: RequestHead, body: RequestBody): Promise<boolean> {
    // Before the head, as Go's server does: a client that is answered while it still sends takes that for a failure.
    const keepAlive = (await this.bodyDone(head, body)) && head.keepAlive && !this.closing && !body.carried;
    const framing = { headOnly: head.method === "HEAD", http11: head.http11, keepAlive };
    try {
      return await this.writer.send(response, framing);
    } catch (error) {
      if (!this.socket.destroyed) this.options.onError(error);
      throw error;
    }
  }

  /**
   * True when the next request can be read after this body: it was read, or is small and unwanted. Somebody may still be reading a
   * body that is begun; and a client that waits for "100 Continue" may or may not send its body now. Those end the connection.
   */
  private async bodyDone(head: RequestHead, body: RequestBody): Promise<boolean> {
    if (body.complete) return true;
    if (body.started || head.expectsContinue) return false;
    const patience = Bun.sleep(discardMillis).then(() => false);
    return await Promise.race([body.discard(maxDiscard).catch(() => false), patience]);
  }

  private async takeOver(response: HttpResponse, serve: NonNullable<HttpResponse["upgrade"]>): Promise<void> {
    const { socket } = this;
    await this.writer.sendUpgrade(response);
    this.reader.release();
    try {
      const served = serve(socket);
      // Released sockets are paused; a `data` listener alone would not start them again.
      if (socket.listenerCount("data") > 0) socket.resume();
      await served;
    } catch (error) {
      this.options.onError(error);
    }
    await this.finishWriting();
    socket.destroy();
  }

  /** Lets what was written reach the client, however slowly it reads. */
  private async finishWriting(): Promise<void> {
    const { socket } = this;
    if (socket.destroyed || socket.writableFinished) return;
    await new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
      socket.end(() => resolve());
    });
  }

  private async refuse(error: HttpProtocolError): Promise<void> {
    const body = `${error.status} ${error.message}\n`;
    const headers = { "Content-Type": "text/plain; charset=utf-8" };
    try {
      await this.writer.send(
        { status: error.status, headers, body },
        { headOnly: false, http11: true, keepAlive: false },
      );
      await this.linger();
    } catch {
      this.socket.destroy();
    }
  }

  /** Closes our side and goes on reading for a moment: closing with unread bytes would reset the response away from the client. */
  private async linger(): Promise<void> {
    const { socket, reader } = this;
    if (socket.destroyed) return;
    const timer = setTimeout(() => socket.destroy(), lingerMillis);
    // What another process reads is at its end here.
    if (reader.handedOver) await this.finishWriting();
    else socket.end();
    while ((await reader.take(Number.POSITIVE_INFINITY)) !== undefined);
    clearTimeout(timer);
    socket.destroy();
  }
}

function isStream({ body }: HttpResponse): boolean {
  return typeof body === "object" && Symbol.asyncIterator in body;
}
