/** `/volumes`. Spec: Docker Engine API, "Volume". */
import type { VolumeCreateRequest } from "../../api/volumes.ts";
import { unavailable } from "../../base/errors.ts";
import type { VolumeBackend } from "../backends.ts";
import { jsonBody } from "../json-body.ts";
import { volumeCreate } from "../request-schemas.ts";
import { upgradeVolumePrune } from "../request-versions.ts";
import { empty, json } from "../responses.ts";
import { type Route, route } from "../router.ts";

export function volumeRoutes(volumes: VolumeBackend): Route[] {
  return [
    route("GET", "/volumes", async ({ query }) =>
      json(
        await volumes.list(query.filters(["dangling", "driver", "label", "name"], "error reading volume filters: ")),
      ),
    ),
    route("POST", "/volumes/create", async ({ request }) => {
      const body = await jsonBody<VolumeCreateRequest & { ClusterVolumeSpec?: unknown }>(request, volumeCreate, {
        type: "volume.CreateOptions",
      });
      if (body?.ClusterVolumeSpec !== undefined) {
        throw unavailable("cluster volumes can only be created on a swarm manager");
      }
      return json(await volumes.create(body ?? {}), 201);
    }),
    route("POST", "/volumes/prune", async ({ query, version }) => {
      const filters = upgradeVolumePrune(query.filters(["all", "label", "label!"]), version);
      return json(await volumes.prune(filters));
    }),
    route("GET", "/volumes/{name}", async ({ params }) => json(await volumes.inspect(params["name"] as string))),
    route("PUT", "/volumes/{name}", () => {
      throw unavailable("volume update only valid for cluster volumes, but swarm is unavailable");
    }),
    route("DELETE", "/volumes/{name}", async ({ params, query }) => {
      await volumes.remove(params["name"] as string, { force: query.bool("force") });
      return empty(204);
    }),
  ];
}
