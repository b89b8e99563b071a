/**
 * A store of the client's, content by digest: what `type=local` caches, OCI layouts as contexts, and layouts as outputs are in.
 * Source: containerd api/services/content/v1; moby/buildkit session/content.
 */
import { invalidArgument } from "../../base/errors.ts";
import type { Bytes } from "../../base/streams.ts";
import { codes, GrpcError } from "../../buildkit-api/grpc/status.ts";
import {
  contentInfoRequest,
  contentMethods,
  contentStoreHeader,
  readContentRequest,
  readContentResponse,
  writeActions,
  writeContentRequest,
  writeContentResponse,
} from "../../buildkit-api/protocol/messages.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Session } from "./session.ts";

const pieceSize = 1 << 20;

export interface ContentBlob {
  digest: Digest;
  size: number;
}

export class ClientContent {
  private readonly session: Session;
  private readonly metadata: Record<string, string>;

  /** `store`: the name that the client gave it. */
  constructor(session: Session, store: string) {
    if (!session.supports(contentMethods.read)) throw invalidArgument(`the client has no content store ${store}`);
    this.session = session;
    this.metadata = { [contentStoreHeader]: store };
  }

  /** The bytes are not verified. Fails `not-found`. */
  async *read(digest: Digest, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const call = this.session.client.open(contentMethods.read, this.metadata, signal);
    try {
      await call.messages.write(readContentRequest.encode({ digest, offset: 0, size: 0 }));
      call.end();
      for await (const message of call.messages) yield readContentResponse.decode(message).data;
    } finally {
      call.cancel();
    }
  }

  async has(digest: Digest, signal: AbortSignal): Promise<boolean> {
    try {
      const request = contentInfoRequest.encode({ digest });
      await this.session.client.unary(contentMethods.info, request, signal, this.metadata);
      return true;
    } catch (error) {
      if (error instanceof GrpcError && error.code === codes.notFound) return false;
      throw error;
    }
  }

  /** Idempotent: what the store has is not sent. */
  async write({ digest, size }: ContentBlob, bytes: Bytes | Uint8Array[], signal: AbortSignal): Promise<void> {
    if (await this.has(digest, signal)) return;
    const call = this.session.client.open(contentMethods.write, this.metadata, signal);
    const answers = call.messages[Symbol.asyncIterator]();
    const send = async (action: number, offset: number, data: Uint8Array) => {
      const request = { action, ref: `gantry-${digest}`, total: size, expected: digest, offset, data };
      await call.messages.write(writeContentRequest.encode(request));
      const { value, done } = await answers.next();
      if (done) throw new GrpcError(codes.internal, "the client's store did not answer");
      return writeContentResponse.decode(value).offset;
    };
    try {
      await send(writeActions.stat, 0, new Uint8Array());
      let offset = 0;
      for await (const chunk of bytes) {
        for (let at = 0; at < chunk.length; at += pieceSize) {
          offset = await send(writeActions.write, offset, chunk.subarray(at, at + pieceSize));
        }
      }
      await send(writeActions.commit, offset, new Uint8Array());
    } catch (error) {
      if (!(error instanceof GrpcError && error.code === codes.alreadyExists)) throw error;
    } finally {
      call.cancel();
    }
  }
}
