/** The registry on its sockets: the public one, and `<root>/admin.sock` by which `gantry registry gc` reaches a running server. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { RegistryConfig } from "./config/keys.ts";
import { PublicServer } from "./public-server.ts";
import type { Registry } from "./registry.ts";

export interface RunningRegistry {
  /** `http://host:port`, with the port that was given when 0 was asked for. */
  readonly url: string;
  /** Takes no more requests, lets those under way end for `timeouts.shutdown`, then cuts them off. */
  stop(): Promise<void>;
}

export function adminSocket(root: string): string {
  return join(root, "admin.sock");
}

export function serveRegistry(
  registry: Registry,
  config: RegistryConfig,
  logger: Logger,
  options: { certificateCheckMillis?: number } = {},
): RunningRegistry {
  const server = new PublicServer(registry, config, logger, options.certificateCheckMillis);
  const admin = serveAdmin(registry, config.root, logger);
  const timer = startCollections(registry, config["gc.interval"] * 1000, logger);
  return {
    url: server.url,
    stop: async () => {
      clearInterval(timer);
      registry.drain();
      await admin.stop(true);
      rmSync(adminSocket(config.root), { force: true });
      await server.stop(config["timeouts.shutdown"] * 1000);
      await registry.close();
    },
  };
}

function serveAdmin(registry: Registry, root: string, logger: Logger) {
  const path = adminSocket(root);
  rmSync(path, { force: true });
  return Bun.serve({
    unix: path,
    fetch: async (request) => {
      if (request.method !== "POST" || new URL(request.url).pathname !== "/gc")
        return new Response(null, { status: 404 });
      try {
        return Response.json(await registry.collect());
      } catch (error) {
        logger.error("garbage collection failed", { error });
        return new Response(errorMessage(error), { status: 500 });
      }
    },
  });
}

function startCollections(registry: Registry, intervalMillis: number, logger: Logger): Timer | undefined {
  if (intervalMillis === 0) return undefined;
  return setInterval(() => {
    registry.collect().then(
      (collected) => logger.info("garbage collected", { ...collected }),
      (error) => logger.error("garbage collection failed", { error }),
    );
  }, intervalMillis);
}
