/** `POST /build?version=2`: the query's parameters as the options of BuildKit's frontend. Spec: Docker Engine API, "Build an image". */
import type { Ulimit } from "../../api/container-config.ts";
import { ApiBuilds } from "../../buildkit/api-build.ts";
import type { Exporter } from "../../buildkit-api/protocol/messages.ts";
import type { BuildkitBackend } from "../backends.ts";
import type { HttpResponse } from "../http/message.ts";
import type { Query } from "../query.ts";
import { empty, progressStream } from "../responses.ts";
import type { RouteContext } from "../router.ts";

export async function buildWithBuildkit(
  { builds }: BuildkitBackend,
  { query, request }: RouteContext,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const buildId = query.text("buildid");
  if (ApiBuilds.isUpload(buildId)) {
    await builds.upload(buildId, request.body, signal);
    return empty(200);
  }
  const wanted = {
    buildId,
    session: query.text("session"),
    remote: query.text("remote"),
    body: request.body,
    options: frontendOptions(query),
    outputs: query.json<Exporter[]>("outputs", "invalid outputs specified") ?? [],
    tags: query.all("t").filter(Boolean),
    entitlements: query.text("networkmode") === "host" ? ["network.host"] : [],
    quiet: query.bool("q"),
    signal,
  };
  return progressStream((progress) => builds.build(wanted, progress), { always: true });
}

function frontendOptions(query: Query): Record<string, string> {
  const options: Record<string, string> = { filename: query.text("dockerfile") || "Dockerfile" };
  const add = (name: string, value: string) => {
    if (value !== "") options[name] = value;
  };
  add("target", query.text("target"));
  add("platform", query.text("platform"));
  add("cgroup-parent", query.text("cgroupparent"));
  add("shm-size", query.text("shmsize") === "0" ? "" : query.text("shmsize"));
  if (["host", "none"].includes(query.text("networkmode"))) add("force-network-mode", query.text("networkmode"));
  if (query.bool("nocache")) options["no-cache"] = "";
  options["image-resolve-mode"] = query.bool("pull") ? "pull" : "local";
  const hosts = query
    .all("extrahosts")
    .flatMap((host) => host.split(","))
    .filter(Boolean);
  add("add-hosts", hosts.map((host) => host.replace(":", "=")).join(","));
  const ulimits = query.json<Ulimit[]>("ulimits", "error reading ulimit settings") ?? [];
  add("ulimit", ulimits.map(({ Name, Soft, Hard }) => `${Name}=${Soft}:${Hard}`).join(","));
  const args = query.json<Record<string, string | null>>("buildargs", "error reading build args") ?? {};
  for (const [name, value] of Object.entries(args)) if (value !== null) options[`build-arg:${name}`] = value;
  const labels = query.json<Record<string, string>>("labels", "error reading labels") ?? {};
  for (const [name, value] of Object.entries(labels)) options[`label:${name}`] = value;
  return options;
}
