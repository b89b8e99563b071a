import { afterAll, beforeAll } from "bun:test";
import { Logger } from "../../base/log.ts";
import { loadConfig } from "../config/config.ts";
import { type PostgresServer, startPostgres } from "../metadata/postgres-server.ts";
import { serveRegistry } from "../server.ts";
import { type S3Server, startS3 } from "../storage/s3-server.ts";
import { type TestRegistry, testRegistry } from "../testing.ts";
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

let postgres: PostgresServer;
let s3: S3Server;
beforeAll(async () => {
  [postgres, s3] = await Promise.all([startPostgres(), startS3()]);
}, 30_000);
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
  await s3[Symbol.asyncDispose]();
});

conformanceSuite("PostgreSQL and S3", async () =>
  testRegistry({ ...s3.config("conformance/"), database: await postgres.newDatabase() }),
);
