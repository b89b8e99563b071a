/** For tests: PostgreSQL and an S3 server, for as long as the tests of a file run. */
import { afterAll, beforeAll } from "bun:test";
import type { RegistryConfig } from "./config/keys.ts";
import { type PostgresServer, startPostgres } from "./metadata/postgres-server.ts";
import { type S3Server, startS3 } from "./storage/s3-server.ts";

export interface TestServices {
  /** There once the tests run. */
  readonly postgres: PostgresServer;
  /** Over a new database and a part of the bucket. */
  config(): Promise<Partial<RegistryConfig>>;
}

export function testServices(): TestServices {
  let postgres: PostgresServer;
  let s3: S3Server;
  beforeAll(async () => {
    [postgres, s3] = await Promise.all([startPostgres(), startS3()]);
  }, 30_000);
  afterAll(async () => {
    await postgres[Symbol.asyncDispose]();
    await s3[Symbol.asyncDispose]();
  });
  return {
    get postgres() {
      return postgres;
    },
    config: async () => ({ ...s3.config(`${crypto.randomUUID()}/`), database: await postgres.newDatabase() }),
  };
}
