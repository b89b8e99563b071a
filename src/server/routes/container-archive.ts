/** `/containers/{id}/archive` and `/export`: files in and out as tar. Spec: Docker Engine API, "Container". */
import type { ContainerPathStat } from "../../api/containers.ts";
import { invalidArgument } from "../../base/errors.ts";
import type { ContainerBackend } from "../backends.ts";
import type { Query } from "../query.ts";
import { bytes, empty } from "../responses.ts";
import { type Route, route } from "../router.ts";

export function containerArchiveRoutes(containers: ContainerBackend): Route[] {
  return [
    route("HEAD", "/containers/{id}/archive", async ({ params, query }) => {
      const stat = await containers.statPath(params["id"] as string, archivePath(query));
      return { status: 200, headers: statHeader(stat) };
    }),
    route("GET", "/containers/{id}/archive", async ({ params, query, request }) => {
      const path = archivePath(query);
      const { stat, body } = await containers.getArchive(params["id"] as string, path, request.signal);
      return bytes("application/x-tar", body, statHeader(stat));
    }),
    route("PUT", "/containers/{id}/archive", async ({ params, query, request }) => {
      await containers.putArchive(params["id"] as string, archivePath(query), request.body, {
        noOverwriteDirNonDir: query.bool("noOverwriteDirNonDir"),
        copyUidGid: query.bool("copyUIDGID"),
        signal: request.signal,
      });
      return empty(200);
    }),
    route("GET", "/containers/{id}/export", async ({ params, request }) =>
      bytes("application/octet-stream", await containers.export(params["id"] as string, request.signal)),
    ),
  ];
}

function archivePath(query: Query): string {
  const path = query.text("path");
  // dockerd's own words, without the space.
  if (path === "") throw invalidArgument("bad parameter: pathcannot be empty");
  return path;
}

function statHeader(stat: ContainerPathStat): Record<string, string> {
  return { "X-Docker-Container-Path-Stat": Buffer.from(JSON.stringify(stat)).toString("base64") };
}
