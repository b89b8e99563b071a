/**
 * Routes of the Engine API that this daemon does not serve yet or, like swarm's, not in its state. Each says so clearly, in dockerd's
 * words where dockerd has them.
 */
import { invalidArgument, notFound, notImplemented, unavailable } from "../../base/errors.ts";
import type { SystemBackend } from "../backends.ts";
import type { HttpRequest } from "../http/message.ts";
import { jsonBody } from "../json-body.ts";
import { json } from "../responses.ts";
import { type Route, route } from "../router.ts";
import { unknown } from "../schema.ts";

const noManager =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

const experimental =
  "This experimental feature is disabled by default. Start the Docker daemon in experimental mode in order to enable it.";

/** Method and path → what is not built. */
const unbuilt: [string, string, string][] = [
  ["POST", "/swarm/init", "swarm mode is not built yet"],
  ["POST", "/swarm/join", "swarm mode is not built yet"],
  ["GET", "/plugins/privileges", "plugins are not built yet"],
  ["POST", "/plugins/create", "plugins are not built yet"],
];

const managerOnly: [string, string][] = [
  ["GET", "/swarm"],
  ["GET", "/swarm/unlockkey"],
  ["POST", "/swarm/update"],
  ["POST", "/swarm/unlock"],
  ...["services", "nodes", "tasks", "secrets", "configs"].flatMap((noun): [string, string][] => [
    ["GET", `/${noun}`],
    ["GET", `/${noun}/{id}`],
    ["POST", `/${noun}/{id}`],
    ["DELETE", `/${noun}/{id}`],
  ]),
];

/** There in experimental mode only. */
const checkpoints: [string, string][] = [
  ["GET", "/containers/{id}/checkpoints"],
  ["POST", "/containers/{id}/checkpoints"],
  ["DELETE", "/containers/{id}/checkpoints"],
  ["POST", "/containers/{id}/checkpoints/{checkpoint}"],
  ["DELETE", "/containers/{id}/checkpoints/{checkpoint}"],
];

/** What is no JSON is refused before anything else, as in dockerd. */
function pluginBody(request: HttpRequest): Promise<unknown> {
  return jsonBody(request, unknown, { type: "types.PluginPrivileges" });
}

export function notBuiltRoutes(system: Pick<SystemBackend, "ping">): Route[] {
  return [
    ...unbuilt.map(([method, path, message]) =>
      route(method, path, () => {
        throw notImplemented(message);
      }),
    ),
    ...managerOnly.map(([method, path]) =>
      route(method, path, () => {
        throw unavailable(noManager);
      }),
    ),
    route("POST", "/swarm/leave", () => {
      throw unavailable("This node is not part of a swarm");
    }),
    route("GET", "/plugins", () => json([])),
    route("POST", "/plugins/pull", async ({ request }) => {
      await pluginBody(request);
      throw notImplemented("plugins are not built yet");
    }),
    ...["upgrade", "set"].map((verb) =>
      route("POST", `/plugins/{name}/${verb}`, async ({ params, request }) => {
        await pluginBody(request);
        throw notFound(`plugin "${params["name"]}" not found`);
      }),
    ),
    ...["GET", "POST", "DELETE"].map((method) =>
      route(method, "/plugins/{name}", ({ params }) => {
        const name = (params["name"] as string).replace(/\/(json|enable|disable|push|upgrade|set)$/, "");
        if (name === "") throw invalidArgument("plugin name cannot be empty");
        throw notFound(`plugin "${name}" not found`);
      }),
    ),
    ...checkpoints.map(([method, path]) =>
      route(method, path, () => {
        throw notImplemented(system.ping().experimental ? "checkpoints are not built yet" : experimental);
      }),
    ),
  ];
}
