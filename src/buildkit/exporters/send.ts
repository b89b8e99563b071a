/** Sends bytes to a file of the client's: what `--output dest=` names; or images to a store of content. Source: moby/buildkit session/filesync. */

import { internal, invalidArgument } from "../../base/errors.ts";
import type { Bytes } from "../../base/streams.ts";
import { writeBytes } from "../../buildkit-api/grpc/bytes.ts";
import type { BuiltIndex } from "../../engine/images/builds/oci-manifest.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Descriptor } from "../../oci/manifest.ts";
import type { VertexProgress } from "../progress.ts";
import { ClientContent } from "../session/client-content.ts";
import type { Session } from "../session/session.ts";
import type { ExportScope } from "./export.ts";

export const sendMethod = "/moby.filesync.v1.FileSend/DiffCopy";

export async function sendBytes(session: Session, index: number, bytes: Bytes, signal: AbortSignal): Promise<void> {
  if (!session.supports(sendMethod)) throw invalidArgument("the client takes no files");
  const call = session.client.open(sendMethod, { "buildkit-attachable-exporter-id": String(index) }, signal);
  try {
    for await (const chunk of bytes) await writeBytes(call.messages, chunk);
    call.end();
    for await (const _ of call.messages) throw internal("the client answered what was not asked");
  } finally {
    call.cancel();
  }
}

/** Puts images into a store of the client's; returns the descriptor of what stands for them. */
export async function writeContent(
  { images, index }: { images: readonly Digest[]; index?: BuiltIndex | undefined },
  store: string,
  { deps, session, signal }: Omit<ExportScope, "index" | "record">,
  vertex: VertexProgress,
): Promise<Descriptor> {
  const content = new ClientContent(await session(), store);
  const { blobs, top } = deps.images.ociContent(images, index);
  for (const blob of blobs) {
    const writing = vertex.status(`writing ${blob.digest}`);
    await content.write(blob, blob.open(signal), signal);
    writing.complete(blob.size);
  }
  return top;
}
