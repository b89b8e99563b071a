/** One call's stream of messages, the same on both ends: bytes in and out with back-pressure; protobuf is the callers' matter. */
import { errorCodes } from "../http2/frames.ts";
import type { Http2Stream } from "../http2/stream.ts";
import { frame, MessageSplitter } from "./messages.ts";
import { codes, GrpcError } from "./status.ts";

export interface MessageStreamOptions {
  /** Told of the other side's headers. */
  headers?: (headers: Map<string, string>) => void;
  /** Told when the stream is over. */
  closed?: () => void;
}

export class MessageStream implements AsyncIterable<Buffer> {
  private readonly stream: Http2Stream;
  private readonly splitter = new MessageSplitter();
  private readonly received: Buffer[] = [];
  private failure: Error | undefined;
  private ended = false;
  private wake = () => {};

  constructor(stream: Http2Stream, options: MessageStreamOptions = {}) {
    this.stream = stream;
    stream.listen({
      headers: (headers) => options.headers?.(headers),
      data: (chunk) => this.receive(chunk),
      end: () => this.finish(),
      closed: (code) => {
        const isCancel = code === errorCodes.cancel || code === errorCodes.noError;
        this.fail(
          code !== undefined && isCancel
            ? new GrpcError(codes.canceled, "context canceled")
            : new GrpcError(codes.unavailable, "the stream was closed"),
        );
        options.closed?.();
      },
    });
  }

  /** Resolves when there is room for more. Rejects when the stream is gone. */
  async write(message: Uint8Array): Promise<void> {
    if (this.stream.closed) throw this.failure ?? new GrpcError(codes.unavailable, "the stream was closed");
    await this.stream.write(frame(message));
  }

  /** The only message of a call that has one. */
  async one(): Promise<Buffer> {
    for await (const message of this) return message;
    throw new GrpcError(codes.internal, "no message came");
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (;;) {
      const message = this.received.shift();
      if (message) {
        this.stream.consumed(message.length);
        yield message;
        continue;
      }
      if (this.failure) throw this.failure;
      if (this.ended) return;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** Reading ends with this error once what has come was read. */
  fail(error: Error): void {
    if (this.ended || this.failure) return;
    this.failure = error;
    this.wake();
  }

  private finish(): void {
    if (this.failure) return;
    this.ended = true;
    this.wake();
  }

  private receive(chunk: Buffer): void {
    try {
      const messages = this.splitter.add(chunk);
      // Messages are given back to the window when they are read; the rest, which is not one yet, at once: one may be larger than it.
      this.stream.consumed(chunk.length - messages.reduce((sum, { length }) => sum + length, 0));
      this.received.push(...messages);
    } catch (error) {
      this.fail(error as Error);
    }
    this.wake();
  }
}
