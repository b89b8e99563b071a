/** `/containers`: records and lifecycle. Spec: Docker Engine API, "Container". */
import type { ContainerCreateRequest, ContainerUpdateRequest } from "../../api/containers.ts";
import { invalidArgument } from "../../base/errors.ts";
import { downgradeInspect, downgradeSummary } from "../answer-versions.ts";
import type { ContainerBackend, WaitCondition } from "../backends.ts";
import type { HttpResponse } from "../http/message.ts";
import { jsonBody } from "../json-body.ts";
import type { Query } from "../query.ts";
import { containerCreate, containerUpdate } from "../request-schemas.ts";
import { upgradeCreate } from "../request-versions.ts";
import { empty, json } from "../responses.ts";
import { type Route, type RouteContext, route } from "../router.ts";

const listFilters = [
  "ancestor",
  "before",
  "exited",
  "expose",
  "health",
  "id",
  "is-task",
  "isolation",
  "label",
  "name",
  "network",
  "publish",
  "since",
  "status",
  "volume",
];

export function containerRoutes(containers: ContainerBackend): Route[] {
  return [
    route("GET", "/containers/json", ({ query, version }) => list(containers, query, version)),
    route("POST", "/containers/create", (context) => create(containers, context)),
    route("POST", "/containers/prune", async ({ query }) =>
      json(await containers.prune(query.filters(["label", "label!", "until"]))),
    ),
    route("GET", "/containers/{id}/json", async ({ params, query, version }) => {
      const found = await containers.inspect(params["id"] as string, { size: query.bool("size") });
      return json(downgradeInspect(found, version));
    }),
    route("GET", "/containers/{id}/top", async ({ params, query }) =>
      json(await containers.top(params["id"] as string, query.text("ps_args"))),
    ),
    route("GET", "/containers/{id}/changes", async ({ params }) =>
      json(await containers.changes(params["id"] as string)),
    ),
    route("POST", "/containers/{id}/start", async ({ params, request }) => {
      if (request.bodyLength === undefined || request.bodyLength > 7) {
        throw invalidArgument(
          "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
        );
      }
      await containers.start(params["id"] as string);
      return empty(204);
    }),
    route("POST", "/containers/{id}/stop", async ({ params, query, version }) => {
      await containers.stop(params["id"] as string, stopOptions(query, version));
      return empty(204);
    }),
    route("POST", "/containers/{id}/restart", async ({ params, query, version }) => {
      await containers.restart(params["id"] as string, stopOptions(query, version));
      return empty(204);
    }),
    route("POST", "/containers/{id}/kill", async ({ params, query }) => {
      await containers.kill(params["id"] as string, query.optional("signal"));
      return empty(204);
    }),
    route("POST", "/containers/{id}/pause", async ({ params }) => {
      await containers.pause(params["id"] as string);
      return empty(204);
    }),
    route("POST", "/containers/{id}/unpause", async ({ params }) => {
      await containers.unpause(params["id"] as string);
      return empty(204);
    }),
    route("POST", "/containers/{id}/rename", async ({ params, query }) => {
      const name = query.text("name");
      if (name === "") throw invalidArgument("Neither old nor new names may be empty");
      await containers.rename(params["id"] as string, name);
      return empty(204);
    }),
    route("POST", "/containers/{id}/update", (context) => update(containers, context)),
    route("POST", "/containers/{id}/wait", (context) => wait(containers, context)),
    route("DELETE", "/containers/{id}", async ({ params, query }) => {
      const options = { force: query.bool("force"), volumes: query.bool("v"), link: query.bool("link") };
      await containers.remove(params["id"] as string, options);
      return empty(204);
    }),
  ];
}

async function list(containers: ContainerBackend, query: Query, version: number): Promise<HttpResponse> {
  const filters = query.filters(listFilters);
  const limit = query.integer("limit");
  const found = await containers.list({
    all: query.bool("all"),
    limit: limit !== undefined && limit > 0 ? limit : undefined,
    size: query.bool("size"),
    filters,
  });
  return json(found.map((container) => downgradeSummary(container, version)));
}

function deprecations({ MacAddress }: ContainerCreateRequest, version: number): string[] {
  if (version < 44 || !MacAddress) return [];
  return ["The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."];
}

async function create(containers: ContainerBackend, context: RouteContext): Promise<HttpResponse> {
  const { query, request, version } = context;
  const body = await jsonBody<ContainerCreateRequest>(request, containerCreate, {
    type: "container.CreateRequest",
    name: "",
    required: true,
  });
  if (!body || Object.keys(body).length === 0) {
    throw invalidArgument("config cannot be empty in order to create a container");
  }
  const platform = version >= 41 ? query.optional("platform") : undefined;
  const created = await containers.create(upgradeCreate(body, version), {
    name: query.optional("name"),
    platform,
    // 1.44: what is mounted below a read-only bind is read-only too.
    readOnlyNonRecursive: version < 44,
  });
  const warnings = [...(created.Warnings ?? []), ...deprecations(body, version)];
  return json({ Id: created.Id, Warnings: warnings }, 201);
}

async function update(containers: ContainerBackend, { params, request, version }: RouteContext): Promise<HttpResponse> {
  const body =
    (await jsonBody<ContainerUpdateRequest>(request, containerUpdate, { type: "container.UpdateConfig" })) ?? {};
  // 1.40: PidsLimit can be changed; 1.42 took KernelMemory away.
  if (version < 40) delete body.PidsLimit;
  if (version >= 42) delete body.KernelMemory;
  const { Warnings: warnings } = await containers.update(params["id"] as string, body);
  return json({ Warnings: warnings.length > 0 ? warnings : null });
}

/** 1.42: the signal of stop and restart can be chosen. */
function stopOptions(query: Query, version: number): { signal?: string | undefined; timeout?: number | undefined } {
  return { signal: version >= 42 ? query.optional("signal") : undefined, timeout: query.integer("t") };
}

async function wait(containers: ContainerBackend, context: RouteContext): Promise<HttpResponse> {
  const { params, query, request, version } = context;
  // 1.30: conditions, and the head is sent before the wait is over.
  const condition = version < 30 ? "not-running" : waitCondition(query.text("condition"));
  const { result } = await containers.wait(params["id"] as string, condition, request.signal);
  if (version < 30) return json({ StatusCode: (await result).StatusCode });
  async function* body(): AsyncGenerator<string> {
    const { StatusCode, Error: failure } = await result;
    yield `${JSON.stringify({ StatusCode, ...(failure ? { Error: failure } : {}) })}\n`;
  }
  return { status: 200, headers: { "Content-Type": "application/json" }, body: body() };
}

function waitCondition(text: string): WaitCondition {
  if (text === "" || text === "not-running") return "not-running";
  if (text === "next-exit" || text === "removed") return text;
  throw invalidArgument(`invalid condition: ${JSON.stringify(text)}`);
}
