/** gRPC calls over a connection on which the other side serves. Source: grpc/doc/PROTOCOL-HTTP2.md. */
import type { Duplex } from "node:stream";
import { Http2Connection } from "../http2/connection.ts";
import { errorCodes } from "../http2/frames.ts";
import type { HeaderList } from "../http2/hpack.ts";
import { status } from "../protocol/messages.ts";
import { codes, GrpcError } from "./status.ts";
import { MessageStream } from "./stream.ts";

/** Values of one name are sent one by one. */
export type Metadata = Record<string, string | string[]>;

export interface ClientCall {
  readonly messages: MessageStream;
  /** Says that no more is sent. */
  end(): void;
  /** Gives the call up. */
  cancel(): void;
}

export class GrpcClient {
  private readonly connection: Http2Connection;

  constructor(connection: Duplex) {
    this.connection = new Http2Connection(connection);
  }

  get closed(): boolean {
    return this.connection.closed;
  }

  close(): void {
    this.connection.destroy();
  }

  /** Opens a call. Its messages end when the other side's status is OK, and fail with its error otherwise. */
  open(path: string, metadata: Metadata = {}, signal?: AbortSignal): ClientCall {
    if (this.closed) throw new GrpcError(codes.unavailable, "the connection has ended");
    const fields = Object.entries(metadata).flatMap(([name, values]) =>
      [values].flat().map((value): [string, string] => [name, value]),
    );
    const stream = this.connection.request([...requestHeaders(path), ...fields]);
    const cancel = () => stream.reset(errorCodes.cancel);
    const messages = new MessageStream(stream, {
      headers: (headers) => {
        const failure = failureOf(headers);
        if (failure) messages.fail(failure);
      },
      closed: () => signal?.removeEventListener("abort", cancel),
    });
    signal?.addEventListener("abort", cancel, { once: true });
    return { messages, end: () => stream.end(), cancel };
  }

  /** A call with one request and one answer. */
  async unary(path: string, request: Uint8Array, signal?: AbortSignal, metadata?: Metadata): Promise<Buffer> {
    const { messages, end } = this.open(path, metadata, signal);
    await messages.write(request);
    end();
    return await messages.one();
  }
}

function requestHeaders(path: string): HeaderList {
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "localhost"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
  ];
}

/** The status comes in the trailers, or with the head when nothing else is sent. */
function failureOf(headers: Map<string, string>): GrpcError | undefined {
  const code = headers.get("grpc-status");
  if (code === undefined || Number(code) === codes.ok) return undefined;
  const details = headers.get("grpc-status-details-bin");
  const typed = details === undefined ? [] : status.decode(Buffer.from(details, "base64")).details;
  return new GrpcError(Number(code), decodeURIComponent(headers.get("grpc-message") ?? ""), typed);
}
