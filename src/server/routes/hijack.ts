/** Hijacked connections: attach and exec, by `Upgrade: tcp`, without it, and over WebSocket. */

import { parseDetachKeys as parse } from "../../api/detach-keys.ts";
import { invalidArgument } from "../../base/errors.ts";
import { streamType } from "../answer-versions.ts";
import type { AttachSession } from "../backends.ts";
import type { HttpRequest, HttpResponse } from "../http/message.ts";
import { acceptKey, WebSocketStream } from "../http/websocket.ts";

/** Only an upgraded connection says whether its output is framed; without `Upgrade` it is always called raw, as in dockerd. */
export function hijack(request: HttpRequest, session: AttachSession, version: number): HttpResponse {
  const upgrade = session.serve.bind(session);
  if (!request.headers.has("upgrade")) {
    return { status: 200, headers: { "Content-Type": "application/vnd.docker.raw-stream" }, upgrade };
  }
  const headers = { "Content-Type": streamType(session.multiplexed, version), Connection: "Upgrade", Upgrade: "tcp" };
  return { status: 101, headers, upgrade };
}

/** Throws unless the request asks for a WebSocket. */
export function requireWebSocket(request: HttpRequest): string {
  const key = request.headers.get("sec-websocket-key");
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket" || !key)
    throw invalidArgument("not websocket protocol");
  return key;
}

/** WebSockets are never framed as stdcopy. Before 1.28 the data were text frames. */
export function webSocket(request: HttpRequest, session: AttachSession, version: number): HttpResponse {
  const headers = {
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Accept": acceptKey(requireWebSocket(request)),
  };
  const upgrade: NonNullable<HttpResponse["upgrade"]> = async (client) => {
    const stream = new WebSocketStream(client, { text: version < 28, unframe: session.multiplexed });
    await session.serve(stream);
    await stream.finish();
  };
  return { status: 101, headers, upgrade };
}

/** Undefined: the default keys. Throws invalid-argument in dockerd's words. */
export function parseDetachKeys(text: string): Uint8Array | undefined {
  if (text === "") return undefined;
  try {
    return parse(text);
  } catch (cause) {
    throw invalidArgument(`Invalid detach keys (${text}) provided`, { cause });
  }
}
