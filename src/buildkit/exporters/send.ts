/** Sends bytes to a file of the client's: what `--output dest=` names. Source: moby/buildkit session/filesync. */

import { internal, invalidArgument } from "../../base/errors.ts";
import type { Bytes } from "../../base/streams.ts";
import { writeBytes } from "../../buildkit-api/grpc/bytes.ts";
import type { Session } from "../session/session.ts";

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
