import { afterAll, beforeAll, expect, test } from "bun:test";
import { SQL } from "bun";
import { errorKind } from "../../base/errors.ts";
import { metadataSuite } from "./metadata.suite.ts";
import { PostgresDatabase } from "./postgres.ts";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
}, 30_000);
afterAll(() => server[Symbol.asyncDispose]());

metadataSuite("PostgreSQL", async () => PostgresDatabase.open(await server.newDatabase()));

test("several instances make the schema at once; one that is newer is refused", async () => {
  const url = await server.newDatabase();
  const opened = await Promise.all([1, 2, 3].map(() => PostgresDatabase.open(url)));
  await Promise.all(opened.map((database) => database.close()));
  const sql = new SQL(url, { max: 1 });
  await sql.unsafe("UPDATE schema_version SET version = 99");
  await sql.close();
  expect(PostgresDatabase.open(url)).rejects.toThrow("has schema 99, newer than this gantry's");
});

test("locks hold between instances", async () => {
  const url = await server.newDatabase();
  const [one, two] = [await PostgresDatabase.open(url), await PostgresDatabase.open(url)];
  const order: string[] = [];
  const begun = Promise.withResolvers<void>();
  const first = one.lock("k", async () => {
    order.push("one begins");
    begun.resolve();
    await Bun.sleep(50);
    order.push("one ends");
  });
  await begun.promise;
  await Promise.all([first, two.lock("k", async () => void order.push("two"))]);
  expect(order).toEqual(["one begins", "one ends", "two"]);
  await Promise.all([one.close(), two.close()]);
});

test("a server that is not there is unavailable", async () => {
  const failure = await PostgresDatabase.open("postgres://gantry@127.0.0.1:1/none").catch((error) => error);
  expect(errorKind(failure)).toBe("unavailable");
});
