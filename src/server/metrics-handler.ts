/** What `--metrics-addr` serves: `GET /metrics` and nothing else. */
import { notFound } from "../base/errors.ts";
import type { SystemBackend } from "./backends.ts";
import type { HttpHandler } from "./http/message.ts";
import { errorResponse } from "./http-error.ts";

export function createMetricsHandler(system: Pick<SystemBackend, "metrics">): HttpHandler {
  return async ({ method, path }) => {
    try {
      if (method !== "GET" || path !== "/metrics") throw notFound("page not found");
      const headers = { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" };
      return { status: 200, headers, body: await system.metrics() };
    } catch (error) {
      return errorResponse(error);
    }
  };
}
