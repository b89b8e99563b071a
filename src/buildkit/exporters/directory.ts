/** The result's files into a directory of the client's. Source: moby/buildkit session/filesync. */
import { invalidArgument } from "../../base/errors.ts";
import { sendFiles } from "../../buildkit-api/files/send-files.ts";
import type { Exporter, Stat } from "../../buildkit-api/protocol/messages.ts";
import type { Built } from "../frontend/frontend.ts";
import { epochOf } from "./dated.ts";
import { type ExportResponse, type ExportScope, withTrees } from "./export.ts";
import { sendMethod } from "./send.ts";

export async function exportDirectory(exporter: Exporter, built: Built, scope: ExportScope): Promise<ExportResponse> {
  const { progress, index, signal } = scope;
  const epoch = epochOf(exporter, built);
  await progress.vertex("exporting to client directory").around((vertex) =>
    withTrees(built, exporter, scope, async (directory) => {
      const session = await scope.session();
      if (!session.supports(sendMethod)) throw invalidArgument("the client takes no files");
      const copying = vertex.status("copying files");
      const call = session.client.open(sendMethod, { "buildkit-attachable-exporter-id": String(index) }, signal);
      try {
        const change = epoch === undefined ? {} : { change: (stat: Stat) => ({ ...stat, modTime: epoch * 1e9 }) };
        const sent = await sendFiles(call.messages, directory, change);
        call.end();
        for await (const _ of call.messages);
        copying.complete(sent);
      } finally {
        call.cancel();
      }
    }),
  );
  return {};
}
