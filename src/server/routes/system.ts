/** `/_ping`, `/version`, `/info`, `/events`, `/system/df`, `/metrics`. Spec: Docker Engine API, "System". */
import { invalidArgument } from "../../base/errors.ts";
import { downgradeDiskUsage, downgradeInfo } from "../answer-versions.ts";
import type { SystemBackend } from "../backends.ts";
import type { HttpResponse } from "../http/message.ts";
import { empty, json, jsonStream } from "../responses.ts";
import { type Route, type RouteContext, route } from "../router.ts";

const pingHeaders = {
  "Cache-Control": "no-cache, no-store, must-revalidate",
  "Content-Type": "text/plain; charset=utf-8",
  Pragma: "no-cache",
  Swarm: "inactive",
};

const dfTypes = ["container", "image", "volume", "build-cache"];

export function systemRoutes(system: SystemBackend): Route[] {
  // The builder, for clients that have a choice.
  const ping = () => ({ "Builder-Version": system.ping().builderVersion, ...pingHeaders });
  return [
    route("GET", "/_ping", () => ({ status: 200, headers: ping(), body: "OK" })),
    route("HEAD", "/_ping", () => ({ status: 200, headers: ping() })),
    route("OPTIONS", "/{any}", () => empty(200)),
    route("GET", "/version", () => json(system.version())),
    route("GET", "/info", async ({ version }) => json(downgradeInfo(await system.info(), version))),
    route("GET", "/system/df", async ({ query, version }) => {
      const given = query.all("type");
      for (const type of given) if (!dfTypes.includes(type)) throw invalidArgument(`unknown object type: ${type}`);
      const types = version >= 42 ? given : [];
      return json(downgradeDiskUsage(await system.diskUsage(types), version, types));
    }),
    route("GET", "/events", (context) => events(system, context)),
    route("GET", "/metrics", async () => ({
      status: 200,
      headers: { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" },
      body: await system.metrics(),
    })),
  ];
}

function events(system: SystemBackend, { query, request }: RouteContext): HttpResponse {
  const [since, until] = [query.timestamp("since"), query.timestamp("until")];
  if (since !== undefined && until !== undefined && until < since) {
    throw invalidArgument(
      `\`since\` time (${query.text("since")}) cannot be after \`until\` time (${query.text("until")})`,
    );
  }
  const messages = system.events({ since, until, filters: query.filters(), signal: request.signal });
  return jsonStream(messages, eventsType(request.headers.get("accept") ?? ""));
}

/** Line-delimited JSON under the name that the client asks for; `application/json` is what older ones expect. */
function eventsType(accept: string): string {
  const wanted = accept.split(",").map((part) => (part.split(";")[0] ?? "").trim());
  return wanted.find((type) => type === "application/jsonl" || type === "application/x-ndjson") ?? "application/json";
}
