/** Gantry's own routes for whole volumes, below `/gantry`: snapshots, archives, artifacts, backups. docs/volumes.md describes them. */
import type { VolumeBackupRequest, VolumePlaceRequest, VolumeSnapshotRequest } from "../../api/volumes.ts";
import { invalidArgument } from "../../base/errors.ts";
import type { VolumeCopiesBackend } from "../backends.ts";
import { jsonBody } from "../json-body.ts";
import { bytes, empty, json, progressStream } from "../responses.ts";
import { type Route, type RouteContext, type RouteHandler, route } from "../router.ts";
import { boolean, integer, labels, object, string } from "../schema.ts";
import { decodeCredentials } from "./registries.ts";

const snapshotCreate = object({ Name: string, Labels: labels });
const place = object({ Name: string, Labels: labels, Replace: boolean });
const backupCreate = object({ Name: string, Volume: string, Schedule: string, Keep: integer, Directory: string });

export function volumeCopyRoutes({ snapshots, archives, artifacts, backups }: VolumeCopiesBackend): Route[] {
  const push: RouteHandler = ({ params, query, request }) =>
    progressStream(async (progress) => {
      const options = { credentials: credentialsOf(request), progress, signal: request.signal };
      await artifacts.push(nameIn(params), query.text("reference"), options);
    });
  const pull: RouteHandler = ({ params, query, request }) =>
    progressStream(async (progress) => {
      const options = { credentials: credentialsOf(request), progress, signal: request.signal };
      await artifacts.pull(nameIn(params), query.text("reference"), { replace: query.bool("replace") }, options);
    });
  return [
    route("GET", "/gantry/snapshots", async ({ query }) =>
      json(await snapshots.list(query.filters(["volume", "name", "label", "label!"]))),
    ),
    route("GET", "/gantry/snapshots/{name}", async ({ params }) => json(await snapshots.inspect(nameIn(params)))),
    route("DELETE", "/gantry/snapshots/{name}", async ({ params }) => {
      await snapshots.remove(nameIn(params));
      return empty(204);
    }),
    route("POST", "/gantry/snapshots/{name}/restore", async ({ params, request }) => {
      const body = (await jsonBody<VolumePlaceRequest>(request, place)) ?? {};
      return json(await snapshots.restore(nameIn(params), body.Name, placeOptions(body), request.signal));
    }),
    route("POST", "/gantry/volumes/{name}/snapshots", async ({ params, request }) => {
      const body = (await jsonBody<VolumeSnapshotRequest>(request, snapshotCreate)) ?? {};
      return json(await snapshots.create(nameIn(params), body, request.signal), 201);
    }),
    route("POST", "/gantry/volumes/{name}/clone", async ({ params, request }) => {
      const body = (await jsonBody<VolumePlaceRequest>(request, place)) ?? {};
      if (!body.Name) throw invalidArgument("the name of the new volume is missing");
      return json(await snapshots.clone(nameIn(params), body.Name, body.Labels ?? null, request.signal), 201);
    }),
    route("GET", "/gantry/volumes/{name}/export", async ({ params, request }) =>
      bytes("application/x-tar", await archives.export(nameIn(params), request.signal)),
    ),
    route("POST", "/gantry/volumes/{name}/import", async ({ params, query, request }) => {
      const options = { replace: query.bool("replace") };
      return json(await archives.import(nameIn(params), request.body, options, request.signal));
    }),
    route("POST", "/gantry/volumes/{name}/push", push),
    route("POST", "/gantry/volumes/{name}/pull", pull),
    route("GET", "/gantry/backups", async () => json(await backups.list())),
    route("POST", "/gantry/backups", async ({ request }) =>
      json(await backups.create((await jsonBody<VolumeBackupRequest>(request, backupCreate)) ?? {}), 201),
    ),
    route("POST", "/gantry/backups/{name}/run", async ({ params }) => json(await backups.run(nameIn(params)))),
    route("GET", "/gantry/backups/{name}", async ({ params }) => json(await backups.inspect(nameIn(params)))),
    route("DELETE", "/gantry/backups/{name}", async ({ params }) => {
      await backups.remove(nameIn(params));
      return empty(204);
    }),
  ];
}

function nameIn(params: RouteContext["params"]): string {
  return params["name"] as string;
}

function placeOptions({ Labels, Replace = false }: VolumePlaceRequest) {
  return { replace: Replace, ...(Labels === undefined ? {} : { labels: Labels }) };
}

function credentialsOf({ headers }: RouteContext["request"]) {
  return decodeCredentials(headers.get("x-registry-auth"));
}
