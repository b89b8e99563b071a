/** The history of builds as `Control` serves it, and the content that its records name. */
import type { Method } from "../../buildkit-api/grpc/server.ts";
import type { HeaderList } from "../../buildkit-api/http2/hpack.ts";
import {
  buildHistoryEvent,
  buildHistoryRequest,
  contentInfoRequest,
  contentInfoResponse,
  contentMethods,
  nothing,
  readContentRequest,
  readContentResponse,
  updateBuildHistoryRequest,
} from "../../buildkit-api/protocol/messages.ts";
import type { BuildHistory } from "../history/history.ts";

const control = "/moby.buildkit.v1.Control/";

export function historyMethods(history: BuildHistory): [string, Method][] {
  return [
    [`${control}ListenBuildHistory`, listen(history)],
    [
      `${control}UpdateBuildHistory`,
      async ({ messages }) => {
        const { Ref, Pinned, Delete, Finalize } = updateBuildHistoryRequest.decode(await messages.one());
        if (Delete) history.remove(Ref);
        // There are no traces that would have to be finished.
        else if (!Finalize) history.pin(Ref, Pinned);
        await messages.write(nothing);
      },
    ],
    [
      contentMethods.read,
      async ({ messages }) => {
        const { digest, offset, size } = readContentRequest.decode(await messages.one());
        const data = history.content(digest).subarray(offset, size > 0 ? offset + size : undefined);
        await messages.write(readContentResponse.encode({ offset, data }));
      },
    ],
    [
      contentMethods.info,
      async ({ messages }) => {
        const { digest } = contentInfoRequest.decode(await messages.one());
        const size = history.content(digest).length;
        await messages.write(contentInfoResponse.encode({ info: { digest, size } }));
      },
    ],
  ];
}

/** Clients reckon with the daemon's clock, which a header tells. */
function listen(history: BuildHistory): Method {
  const method: Method = async ({ messages, signal }) => {
    const request = buildHistoryRequest.decode(await messages.one());
    for await (const event of history.listen(request, signal)) await messages.write(buildHistoryEvent.encode(event));
  };
  return Object.assign(method, {
    headers: (): HeaderList => [["buildkit-current-timestamp", new Date().toISOString()]],
  });
}
