/** `/networks`. Spec: Docker Engine API, "Network". */
import type { EndpointSettings, NetworkCreateRequest } from "../../api/networks.ts";
import { invalidArgument } from "../../base/errors.ts";
import { parseGoBool } from "../../base/go-bool.ts";
import type { NetworkBackend } from "../backends.ts";
import { jsonBody } from "../json-body.ts";
import type { Query } from "../query.ts";
import { networkConnect, networkCreate, networkDisconnect } from "../request-schemas.ts";
import { upgradeEndpoint, upgradeNetworkCreate } from "../request-versions.ts";
import { empty, json } from "../responses.ts";
import { type Route, type RouteContext, type RouteHandler, route } from "../router.ts";

const listFilters = ["dangling", "driver", "id", "label", "name", "scope", "type"];

export function networkRoutes(networks: NetworkBackend): Route[] {
  const list: RouteHandler = async ({ query, version }) => {
    const found = await networks.list(query.filters(listFilters));
    if (version >= 28) return json(found);
    // Before 1.28 the list had the containers too.
    return json(await Promise.all(found.map(({ Id }) => networks.inspect(Id, { verbose: false }))));
  };
  return [
    route("GET", "/networks", list),
    route("GET", "/networks/", list),
    route("POST", "/networks/create", async ({ request, version }) => {
      const options = { type: "network.CreateRequest" };
      const body = await jsonBody<NetworkCreateRequest>(request, networkCreate, options);
      if (!body?.Name) throw invalidArgument("invalid name: name is empty");
      return json(await networks.create(upgradeNetworkCreate(body, version)), 201);
    }),
    route("POST", "/networks/prune", async ({ query }) =>
      json(await networks.prune(query.filters(["label", "label!", "until"]))),
    ),
    route("POST", "/networks/{id}/connect", (context) => connect(networks, context)),
    route("POST", "/networks/{id}/disconnect", async ({ params, request }) => {
      const options = { type: "network.DisconnectOptions" };
      const body = await jsonBody<{ Container?: string; Force?: boolean }>(request, networkDisconnect, options);
      await networks.disconnect(params["id"] as string, containerName(body), body?.Force ?? false);
      return empty(200);
    }),
    route("GET", "/networks/{id}", async ({ params, query }) => {
      const options = { scope: query.optional("scope"), verbose: verbose(query) };
      return json(await networks.inspect(params["id"] as string, options));
    }),
    route("DELETE", "/networks/{id}", async ({ params }) => {
      await networks.remove(params["id"] as string);
      return empty(204);
    }),
  ];
}

async function connect(networks: NetworkBackend, { params, request, version }: RouteContext) {
  const body = await jsonBody<{ Container?: string; EndpointConfig?: EndpointSettings }>(request, networkConnect, {
    type: "network.ConnectOptions",
  });
  const endpoint = upgradeEndpoint(body?.EndpointConfig, version);
  await networks.connect(params["id"] as string, containerName(body), endpoint);
  return empty(200);
}

function containerName(body: { Container?: string } | undefined): string {
  if (!body?.Container) throw invalidArgument('invalid name or ID supplied: ""');
  return body.Container;
}

/** The one boolean that dockerd reads with Go's strconv.ParseBool. */
function verbose(query: Query): boolean {
  const text = query.text("verbose");
  const parsed = text === "" ? false : parseGoBool(text);
  if (parsed !== undefined) return parsed;
  throw invalidArgument(`invalid value for verbose: ${text}: strconv.ParseBool: parsing "${text}": invalid syntax`);
}
