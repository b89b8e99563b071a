import { expect, test } from "bun:test";
import { errorKind } from "../../base/errors.ts";
import { Database } from "../../metadata/database.ts";
import { ContainerStore } from "./container-store.ts";
import { testRecord } from "./test-record.ts";

const id = (start: string) => start.padEnd(64, "0");

function storeWith(...records: [string, string][]): { database: Database; store: ContainerStore } {
  const database = new Database(":memory:");
  const store = new ContainerStore(database);
  for (const [start, name] of records) store.add(testRecord({ id: id(start), name }));
  return { database, store };
}

function kindOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return errorKind(error);
  }
  return "none";
}

test("a container is found by name, slashed name, id and unique prefix", () => {
  const { store } = storeWith(["abc", "web"], ["abd", "db"]);
  for (const key of ["web", "/web", id("abc"), "abc"]) expect(store.get(key).id).toBe(id("abc"));
  expect(kindOf(() => store.get("ab"))).toBe("invalid-argument");
  expect(kindOf(() => store.get("nosuch"))).toBe("not-found");
});

test("a name that looks like another container's id prefix wins", () => {
  const { store } = storeWith(["abc", "web"], ["def", "abc"]);
  expect(store.get("abc").id).toBe(id("def"));
});

test("a taken name is a conflict that names its holder", () => {
  const { store } = storeWith(["abc", "web"]);
  expect(() => store.add(testRecord({ id: id("def"), name: "web" }))).toThrow(
    `"/web" is already in use by container "${id("abc")}"`,
  );
  expect(store.list()).toHaveLength(1);
});

test("records survive, renamed and deleted ones too", () => {
  const { database, store } = storeWith(["abc", "web"], ["def", "db"]);
  store.rename(store.get("web"), "www");
  store.delete(store.get("db"));
  const reopened = new ContainerStore(database);
  expect(reopened.list().map(({ record }) => record.name)).toEqual(["www"]);
  expect(reopened.find("web")).toBeUndefined();
});

test("saving a container that was deleted meanwhile does not bring it back", () => {
  const { database, store } = storeWith(["abc", "web"]);
  const container = store.get("web");
  store.delete(container);
  store.save(container);
  expect(new ContainerStore(database).list()).toEqual([]);
});
