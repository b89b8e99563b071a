/** `/containers/{id}/exec` and `/exec/{id}`. Spec: Docker Engine API, "Exec". */

import type { ExecCreateRequest, ExecStartRequest } from "../../api/containers.ts";
import { frame } from "../../api/stdcopy.ts";
import { errorMessage, invalidArgument } from "../../base/errors.ts";
import type { AttachSession, ExecBackend } from "../backends.ts";
import type { HttpResponse } from "../http/message.ts";
import { jsonBody } from "../json-body.ts";
import { execCreate, execStart } from "../request-schemas.ts";
import { upgradeExecCreate } from "../request-versions.ts";
import { empty, json } from "../responses.ts";
import { type Route, type RouteContext, route } from "../router.ts";
import { resizeOptions } from "./container-streams.ts";
import { hijack, parseDetachKeys } from "./hijack.ts";

export function execRoutes(execs: ExecBackend): Route[] {
  return [
    route("POST", "/containers/{id}/exec", async ({ params, request, version }) => {
      const body = await jsonBody<ExecCreateRequest>(request, execCreate, { type: "container.ExecOptions" });
      if (!body?.Cmd || body.Cmd.length === 0) throw invalidArgument("No exec command specified");
      parseDetachKeys(body.DetachKeys ?? "");
      return json(await execs.create(params["id"] as string, upgradeExecCreate(body, version)), 201);
    }),
    route("POST", "/exec/{id}/start", (context) => start(execs, context)),
    route("POST", "/exec/{id}/resize", async ({ params, query }) => {
      await execs.resize(params["id"] as string, resizeOptions(query));
      return empty(200);
    }),
    route("GET", "/exec/{id}/json", async ({ params }) => json(await execs.inspect(params["id"] as string))),
  ];
}

async function start(execs: ExecBackend, { params, request, version }: RouteContext): Promise<HttpResponse> {
  const id = params["id"] as string;
  const options = (await jsonBody<ExecStartRequest>(request, execStart, { type: "container.ExecStartOptions" })) ?? {};
  // 1.42 brought the console's size, which only a terminal has.
  if (version < 42 || !options.Tty) delete options.ConsoleSize;
  if (options.Detach) {
    await execs.startDetached(id, options);
    return empty(200);
  }
  return hijack(request, await startAttached(execs, id, options), version);
}

/**
 * A command that the OCI runtime cannot start is no failed request: clients expect its message as output and ask for the exit code
 * (126, 127) afterwards.
 */
async function startAttached(execs: ExecBackend, id: string, options: ExecStartRequest): Promise<AttachSession> {
  try {
    return await execs.start(id, options);
  } catch (error) {
    const message = errorMessage(error);
    if (!message.startsWith("OCI runtime exec failed")) throw error;
    const output = Buffer.from(`${message}\r\n`);
    const multiplexed = !options.Tty;
    return {
      multiplexed,
      serve: async (client) => {
        client.write(multiplexed ? frame("stdout", output) : output);
      },
    };
  }
}
