/** `/images` and `/commit`. Spec: Docker Engine API, "Image". Search and login are in `registries.ts`, build in `build.ts`. */
import type { ContainerConfig } from "../../api/container-config.ts";
import { invalidArgument } from "../../base/errors.ts";
import { downgradeImage, downgradeImageInspect } from "../answer-versions.ts";
import type { ContainerBackend, ImageBackend } from "../backends.ts";
import type { HttpResponse } from "../http/message.ts";
import { jsonBody } from "../json-body.ts";
import type { Query } from "../query.ts";
import { containerConfig } from "../request-schemas.ts";
import { bytes, empty, json, progressStream } from "../responses.ts";
import { type Route, type RouteContext, route } from "../router.ts";
import { decodeCredentials, platformText } from "./registries.ts";

const listFilters = ["before", "dangling", "label", "label!", "reference", "since", "until"];

export function imageRoutes(images: ImageBackend, containers: ContainerBackend): Route[] {
  return [
    route("GET", "/images/json", ({ query, version }) => list(images, query, version)),
    route("GET", "/images/get", (context) => save(images, context.query.all("names"), context)),
    route("GET", "/images/{name}/get", (context) => save(images, [context.params["name"] as string], context)),
    route("GET", "/images/{name}/json", async ({ params, query, request, version }) => {
      const manifests = version >= 48 && query.bool("manifests");
      const { platform } = platformOption(query, version, 49);
      if (manifests && platform !== undefined)
        throw invalidArgument("conflicting options: manifests and platform options cannot both be set");
      const found = await images.inspect(params["name"] as string, { platform, manifests });
      return json(downgradeImageInspect(found, version, request.headers.get("user-agent")));
    }),
    route("GET", "/images/{name}/history", async ({ params, query, version }) =>
      json(await images.history(params["name"] as string, platformOption(query, version, 48))),
    ),
    route("POST", "/images/load", ({ query, request, version }) => {
      const { platform } = platformOption(query, version, 48);
      const options = { quiet: query.bool("quiet", true), platform, signal: request.signal };
      return progressStream((progress) => images.load(request.body, { ...options, progress }), { always: true });
    }),
    route("POST", "/images/create", (context) =>
      context.query.optional("fromImage") ? pull(images, context) : importImage(images, context),
    ),
    route("POST", "/images/{name}/push", (context) => push(images, context)),
    route("POST", "/images/prune", async ({ query }) =>
      json(await images.prune(query.filters(["dangling", "label", "label!", "until"]))),
    ),
    route("POST", "/images/{name}/tag", async ({ params, query }) => {
      await images.tag(params["name"] as string, query.text("repo"), query.text("tag"));
      return empty(201);
    }),
    route("DELETE", "/images/{name}", async ({ params, query, version }) => {
      const name = params["name"] as string;
      if (name.trim() === "") throw invalidArgument("image name cannot be blank");
      const platforms = version >= 50 ? query.all("platforms").map(platformText) : [];
      const options = { force: query.bool("force"), noPrune: query.bool("noprune"), platforms };
      return json(await images.remove(name, options));
    }),
    route("POST", "/commit", (context) => commit(containers, context)),
  ];
}

/** `platform`, as JSON, that a route knows since API 1.`since`. Only one: an archive of several platforms has them all without. */
function platformOption(query: Query, version: number, since: number): { platform?: string | undefined } {
  if (version < since) return {};
  const given = query.all("platform").filter((text) => text !== "");
  if (given.length > 1) throw invalidArgument("multiple platform parameters not supported");
  return { platform: given[0] === undefined ? undefined : platformText(given[0]) };
}

async function list(images: ImageBackend, query: Query, version: number): Promise<HttpResponse> {
  const filters = query.filters(listFilters);
  // Before 1.41 `filter` was a reference.
  if (version < 41 && query.optional("filter")) filters["reference"] = [query.text("filter")];
  const found = await images.list({
    all: query.bool("all"),
    digests: query.bool("digests"),
    // 1.42 brought shared-size.
    sharedSize: version >= 42 && query.bool("shared-size"),
    manifests: version >= 47 && query.bool("manifests"),
    filters,
  });
  return json(found.map((image) => downgradeImage(image, version)));
}

async function save(
  images: ImageBackend,
  names: string[],
  { query, request: { signal }, version }: RouteContext,
): Promise<HttpResponse> {
  if (names.length === 0) throw invalidArgument("no images to save");
  return bytes("application/x-tar", await images.save(names, { ...platformOption(query, version, 48), signal }));
}

async function pull(images: ImageBackend, { query, request, version }: RouteContext): Promise<HttpResponse> {
  const options = {
    tag: query.optional("tag"),
    platform: version >= 32 ? query.optional("platform") : undefined,
    credentials: decodeCredentials(request.headers.get("x-registry-auth")),
    signal: request.signal,
  };
  return await progressStream((progress) => images.pull(query.text("fromImage"), { ...options, progress }));
}

/** 1.46: `platform`, as JSON. */
async function push(images: ImageBackend, { params, query, request, version }: RouteContext): Promise<HttpResponse> {
  const options = {
    tag: query.optional("tag"),
    ...platformOption(query, version, 46),
    credentials: decodeCredentials(request.headers.get("x-registry-auth")),
    signal: request.signal,
  };
  return await progressStream((progress) => images.push(params["name"] as string, { ...options, progress }));
}

async function importImage(images: ImageBackend, { query, request, version }: RouteContext): Promise<HttpResponse> {
  const source = query.text("fromSrc");
  if (source === "") throw invalidArgument("one of fromImage and fromSrc must be given");
  const options = {
    repo: query.optional("repo"),
    tag: query.optional("tag"),
    message: query.text("message"),
    changes: query.all("changes"),
    platform: version >= 32 ? query.optional("platform") : undefined,
    signal: request.signal,
  };
  return await progressStream((progress) => images.import(source, request.body, { ...options, progress }));
}

async function commit(containers: ContainerBackend, { query, request }: RouteContext): Promise<HttpResponse> {
  const config = await jsonBody<ContainerConfig>(request, containerConfig, {
    type: "container.CreateRequest",
    name: "",
  });
  const container = query.text("container");
  if (container === "") throw invalidArgument('invalid name or ID supplied: ""');
  const id = await containers.commit(container, {
    repo: query.optional("repo"),
    tag: query.optional("tag"),
    comment: query.text("comment"),
    author: query.text("author"),
    pause: query.bool("pause", true),
    changes: query.all("changes"),
    config,
  });
  return json({ Id: id }, 201);
}
