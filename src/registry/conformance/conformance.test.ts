import { Logger } from "../../base/log.ts";
import { loadConfig } from "../config/config.ts";
import { serveRegistry } from "../server.ts";
import { type TestRegistry, testRegistry } from "../testing.ts";
import { testServices } from "../testing-services.ts";
import { conformanceSuite } from "./conformance.suite.ts";

conformanceSuite("SQLite and a directory", () => testRegistry());

/** As clients see it: what the server makes of answers counts too. */
conformanceSuite("on a socket", async () => {
  const r = await testRegistry();
  const config = { ...loadConfig([], {}), root: r.root, listen: "127.0.0.1:0" };
  const server = serveRegistry(r.registry, config, new Logger("error", () => undefined));
  const request: TestRegistry["request"] = (method, path, body, headers = {}) =>
    fetch(`${server.url}${path.startsWith("/") ? path : `/v2/${path}`}`, {
      ...{ method, headers },
      ...(body == null ? {} : { body: body as NonNullable<RequestInit["body"]> }),
    });
  return {
    ...{ ...r, request },
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await r[Symbol.asyncDispose]();
    },
  };
});

const services = testServices();

conformanceSuite("PostgreSQL and S3", async () => testRegistry(await services.config()));
