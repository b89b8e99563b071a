/** gRPC served over one connection that an HTTP request turned into HTTP/2. Source: grpc/doc/PROTOCOL-HTTP2.md. */
import type { Duplex } from "node:stream";
import { Http2Connection } from "../http2/connection.ts";
import { errorCodes } from "../http2/frames.ts";
import type { HeaderList } from "../http2/hpack.ts";
import type { HeaderFields, Http2Stream } from "../http2/stream.ts";
import { status } from "../protocol/messages.ts";
import { codes, GrpcError, toGrpcError } from "./status.ts";
import { MessageStream } from "./stream.ts";

export interface Call {
  readonly messages: MessageStream;
  readonly headers: HeaderFields;
  /** Aborted when the client cancels the call or goes away. */
  readonly signal: AbortSignal;
}

/** Reads requests from the call and writes answers to it; the call ends when it settles. */
export type Method = ((call: Call) => Promise<void>) & {
  /** Beside those of every answer. */
  headers?: () => HeaderList;
};

/** `/package.Service/Method` → what serves it. */
export type Methods = ReadonlyMap<string, Method>;

const success: HeaderList = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];

/** Serves until the connection ends. */
export async function serveGrpc(connection: Duplex, methods: Methods): Promise<void> {
  const closed = new Promise<void>((resolve) => connection.once("close", () => resolve()));
  new Http2Connection(connection, (stream, headers) => void serveCall(stream, headers, methods));
  await closed;
}

async function serveCall(stream: Http2Stream, headers: HeaderFields, methods: Methods): Promise<void> {
  const aborted = new AbortController();
  const messages = new MessageStream(stream, { closed: () => aborted.abort() });
  const path = headers.get(":path") ?? "";
  const method = methods.get(path);
  try {
    if (!method) throw new GrpcError(codes.unimplemented, `unknown method ${path}`);
    // Clients wait for it before they send on.
    stream.sendHeaders([...success, ...(method.headers?.() ?? [])]);
    await method({ messages, headers, signal: aborted.signal });
    stream.sendHeaders([["grpc-status", "0"]], { end: true });
  } catch (error) {
    stream.sendHeaders([...(method ? [] : success), ...statusTrailers(toGrpcError(error))], { end: true });
  }
  // A client that still sends is not waited for.
  if (!stream.closed) stream.reset(errorCodes.noError);
}

function statusTrailers({ code, message, details }: GrpcError): HeaderList {
  const trailers: HeaderList = [
    ["grpc-status", String(code)],
    ["grpc-message", percentEncode(message)],
  ];
  if (details.length > 0) {
    const encoded = Buffer.from(status.encode({ code, message, details: [...details] })).toString("base64");
    trailers.push(["grpc-status-details-bin", encoded.replace(/=+$/, "")]);
  }
  return trailers;
}

/** Everything but printable ASCII, and the percent sign itself. */
function percentEncode(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
    )
    .join("");
}
