/** `POST /grpc` and `POST /session`: connections that turn into HTTP/2, on which gRPC is spoken. Spec: Docker Engine API, "Session". */
import { invalidArgument } from "../../base/errors.ts";
import type { BuildkitBackend } from "../backends.ts";
import type { HttpRequest, HttpResponse } from "../http/message.ts";
import { type Route, route } from "../router.ts";

export function buildkitRoutes(buildkit: BuildkitBackend): Route[] {
  return [
    route("POST", "/grpc", ({ request }) => upgrade(request, (connection) => buildkit.serveGrpc(connection))),
    route("POST", "/session", ({ request }) =>
      upgrade(request, (connection) => buildkit.serveSession(request.headers, connection)),
    ),
  ];
}

function upgrade({ headers }: HttpRequest, serve: NonNullable<HttpResponse["upgrade"]>): HttpResponse {
  const protocol = headers.get("upgrade");
  if (!protocol) throw invalidArgument("no upgrade proto in request");
  if (protocol.toLowerCase() !== "h2c") throw invalidArgument(`protocol ${protocol} not supported`);
  return { status: 101, headers: { Connection: "Upgrade", Upgrade: protocol }, upgrade: serve };
}
