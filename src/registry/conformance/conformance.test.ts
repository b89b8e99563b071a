import { afterAll, beforeAll } from "bun:test";
import { type PostgresServer, startPostgres } from "../metadata/postgres-server.ts";
import { testRegistry } from "../testing.ts";
import { conformanceSuite } from "./conformance.suite.ts";

conformanceSuite("SQLite", () => testRegistry());

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
}, 30_000);
afterAll(() => server[Symbol.asyncDispose]());

conformanceSuite("PostgreSQL", async () => testRegistry({ database: await server.newDatabase() }));
