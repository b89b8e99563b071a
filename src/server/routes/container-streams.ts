/** `/containers/{id}` streams: attach, logs, stats, resize. Spec: Docker Engine API, "Container". */
import { errorMessage, invalidArgument } from "../../base/errors.ts";
import { collectText } from "../../base/streams.ts";
import { streamType } from "../answer-versions.ts";
import type { AttachOptions, AttachSession, ContainerBackend } from "../backends.ts";
import type { HttpResponse } from "../http/message.ts";
import { errorStatus } from "../http-error.ts";
import type { Query } from "../query.ts";
import { bytes, empty, jsonStream } from "../responses.ts";
import { type Route, type RouteContext, route } from "../router.ts";
import { hijack, parseDetachKeys, requireWebSocket, webSocket } from "./hijack.ts";

const maxAttachBody = 1 << 20;

export function containerStreamRoutes(containers: ContainerBackend): Route[] {
  return [
    route("POST", "/containers/{id}/attach", async ({ params, query, request, version }) => {
      const options = attachOptions(query);
      let session: AttachSession;
      try {
        session = await containers.attach(params["id"] as string, options);
      } catch (error) {
        return refusedAttach(error);
      }
      // dockerode sends its options as a body too: they are not the process's input.
      if ((request.bodyLength ?? 0) > 0) await collectText(request.body, maxAttachBody);
      return hijack(request, session, version);
    }),
    route("GET", "/containers/{id}/attach/ws", async ({ params, query, request, version }) => {
      const session = await containers.attach(params["id"] as string, attachOptions(query));
      requireWebSocket(request);
      return webSocket(request, session, version);
    }),
    route("GET", "/containers/{id}/logs", (context) => logs(containers, context)),
    route("GET", "/containers/{id}/stats", (context) => stats(containers, context)),
    route("POST", "/containers/{id}/resize", async ({ params, query }) => {
      await containers.resize(params["id"] as string, resizeOptions(query));
      return empty(200);
    }),
  ];
}

/** dockerd has taken over the connection when it finds out, so that its answer is the bare message. */
function refusedAttach(error: unknown): HttpResponse {
  const headers = { "Content-Type": "application/vnd.docker.raw-stream", Connection: "close" };
  return { status: errorStatus(error), headers, body: `${errorMessage(error)}\r\n` };
}

function attachOptions(query: Query): AttachOptions {
  return {
    detachKeys: parseDetachKeys(query.text("detachKeys")),
    logs: query.bool("logs"),
    stream: query.bool("stream"),
    stdin: query.bool("stdin"),
    stdout: query.bool("stdout"),
    stderr: query.bool("stderr"),
  };
}

async function logs(containers: ContainerBackend, context: RouteContext): Promise<HttpResponse> {
  const { params, query, request, version } = context;
  const [stdout, stderr] = [query.bool("stdout"), query.bool("stderr")];
  if (!stdout && !stderr) throw invalidArgument("Bad parameters: you must choose at least one stream");
  // Anything but a number of lines, "all" above all, means all.
  const tail = /^\d+$/.test(query.text("tail")) ? Number(query.text("tail")) : undefined;
  const { multiplexed, body } = await containers.logs(params["id"] as string, {
    stdout,
    stderr,
    tail,
    follow: query.bool("follow"),
    timestamps: query.bool("timestamps"),
    details: query.bool("details"),
    // 0 is no time here, and 1970 where events are asked for.
    since: query.timestamp("since") || undefined,
    // 1.35 brought `until`.
    until: version >= 35 ? query.timestamp("until") || undefined : undefined,
    signal: request.signal,
  });
  return bytes(streamType(multiplexed, version), body);
}

async function stats(containers: ContainerBackend, context: RouteContext): Promise<HttpResponse> {
  const { params, query, request, version } = context;
  const stream = query.bool("stream", true);
  const oneShot = version >= 41 && query.bool("one-shot");
  if (stream && oneShot) throw invalidArgument("cannot have stream=true and one-shot=true");
  const options = { stream, oneShot, signal: request.signal };
  return jsonStream(await containers.stats(params["id"] as string, options));
}

/** `h` rows and `w` columns. */
export function resizeOptions(query: Query): { height: number; width: number } {
  return { height: dimension(query.text("h"), "height"), width: dimension(query.text("w"), "width") };
}

function dimension(text: string, name: string): number {
  if (!/^-?\d+$/.test(text)) throw invalidArgument(`invalid resize ${name} ${JSON.stringify(text)}: invalid syntax`);
  if (text.startsWith("-") || Number(text) > 0xffffffff)
    throw invalidArgument(`invalid resize ${name} "${text}": value out of range`);
  return Number(text);
}
