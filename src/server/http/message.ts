/** A request and a response as the routes see them, with or without a socket behind them. */
import type { Duplex } from "node:stream";
import type { CarriedBytes } from "../../base/streams.ts";

export interface Peer {
  /** The certificate's common name. */
  name: string;
  /** PEM. */
  certificates: string[];
}

export interface HttpRequest {
  readonly method: string;
  /** As the client wrote it, with its query. */
  readonly target?: string;
  /** Percent-decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case; several of one name joined by `, `. */
  readonly headers: ReadonlyMap<string, string>;
  /** Read at most once. Reading it sends `100 Continue` where the client waits for that. */
  readonly body: CarriedBytes;
  /** Undefined: chunked, of unknown length. */
  readonly bodyLength: number | undefined;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** Who the client is by its certificate, if it showed one that was verified. */
  readonly peer?: () => Peer | undefined;
}

/** What a streamed body yields. Strings are sent as UTF-8. */
export type BodyChunk = Uint8Array | string;

export interface HttpResponse {
  readonly status: number;
  readonly headers?: Record<string, string>;
  /** An iterable is streamed: the head goes out at once, each chunk as soon as it is there. When it throws, the connection breaks. */
  readonly body?: BodyChunk | AsyncIterable<BodyChunk>;
  /**
   * Takes the connection over once the head is sent (hijack). It is handed over paused, with what the
   * client sent ahead put back, and closed when this settles.
   */
  readonly upgrade?: (client: Duplex) => Promise<void>;
}

/** Answers a request. It never rejects: errors are responses. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>;
