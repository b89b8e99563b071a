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
    route("GET", "/images/get", ({ query, request }) => save(images, query.all("names"), request.signal)),
    route("GET", "/images/{name}/get", ({ params, request }) =>
      save(images, [params["name"] as string], request.signal),
    ),
    route("GET", "/images/{name}/json", async ({ params, query, request, version }) => {
      const found = await images.inspect(params["name"] as string, platformOption(query, version));
      return json(downgradeImageInspect(found, version, request.headers.get("user-agent")));
    }),
    route("GET", "/images/{name}/history", async ({ params, query, version }) =>
      json(await images.history(params["name"] as string, platformOption(query, version))),
    ),
    route("POST", "/images/load", ({ query, request }) => {
      const options = { quiet: query.bool("quiet", true), signal: request.signal };
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
    route("DELETE", "/images/{name}", async ({ params, query }) => {
      const name = params["name"] as string;
      if (name.trim() === "") throw invalidArgument("image name cannot be blank");
      return json(await images.remove(name, { force: query.bool("force"), noPrune: query.bool("noprune") }));
    }),
    route("POST", "/commit", (context) => commit(containers, context)),
  ];
}

/** 1.49: inspect can choose a platform; 1.48: history. */
function platformOption(query: Query, version: number): { platform?: string | undefined } {
  return { platform: version >= 48 ? query.optional("platform") : undefined };
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
    filters,
  });
  return json(found.map((image) => downgradeImage(image, version)));
}

async function save(images: ImageBackend, names: string[], signal: AbortSignal): Promise<HttpResponse> {
  if (names.length === 0) throw invalidArgument("no images to save");
  return bytes("application/x-tar", await images.save(names, { signal }));
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
    platform: version >= 46 ? platformText(query.optional("platform")) : undefined,
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
