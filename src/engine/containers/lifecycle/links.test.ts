import { expect, test } from "bun:test";
import { initialState } from "../container-record.ts";
import { testContainer } from "../test-record.ts";
import { linkEnvironment, linkNames, moveHost, parseLink, resolveLinks, settleLinks } from "./links.ts";

test("a link is a name with an optional alias", () => {
  expect(parseLink("db:database")).toEqual({ name: "db", alias: "database" });
  expect(parseLink("db")).toEqual({ name: "db", alias: "db" });
  for (const bad of ["", ":a", "a:", "a:b:c"]) expect(() => parseLink(bad)).toThrow("invalid format to parse");
});

test("the variables name address and ports, lowest port first", () => {
  const link = {
    names: ["db"],
    ip: "10.0.0.2",
    ip6: "",
    alias: "my-db",
    ports: ["6380/tcp", "53/udp"],
    env: ["PATH=/x", "KEY=v"],
  };
  expect(linkEnvironment("web", [link])).toEqual([
    "MY_DB_PORT=udp://10.0.0.2:53",
    "MY_DB_PORT_53_UDP=udp://10.0.0.2:53",
    "MY_DB_PORT_53_UDP_ADDR=10.0.0.2",
    "MY_DB_PORT_53_UDP_PORT=53",
    "MY_DB_PORT_53_UDP_PROTO=udp",
    "MY_DB_PORT_6380_TCP=tcp://10.0.0.2:6380",
    "MY_DB_PORT_6380_TCP_ADDR=10.0.0.2",
    "MY_DB_PORT_6380_TCP_PORT=6380",
    "MY_DB_PORT_6380_TCP_PROTO=tcp",
    "MY_DB_NAME=/web/my-db",
    "MY_DB_ENV_KEY=v",
  ]);
});

test("a link is kept by id, and is called by both names", () => {
  const db = testContainer({ name: "db", state: initialState() });
  const find = (name: string) => (["/db", "db", db.id].includes(name) ? db : undefined);
  expect(settleLinks(["db:d", "/db"], find)).toEqual([`${db.id}:d`, `${db.id}:db`]);
  expect(() => settleLinks(["nope:d"], find)).toThrow("could not get container for nope: No such container: nope");
  const web = testContainer({ name: "web", hostConfig: { Links: [`${db.id}:d`, "gone:x"] } }).record;
  expect(linkNames(web, find)).toEqual([{ linkName: "/web/d", target: db }]);
  expect(() => resolveLinks(web, find)).toThrow("Cannot link to a non running container: /db AS /web/d");
  expect(resolveLinks(web, () => undefined)).toEqual([]);
});

test("a link leads to who has the address, and not to the host", () => {
  const db = testContainer({ name: "db" });
  const beside = testContainer({ id: "b".repeat(64), name: "beside", hostConfig: { NetworkMode: "container:db" } });
  const hosted = testContainer({ name: "hosted", hostConfig: { NetworkMode: "host" } });
  const find = (name: string) => ({ db, beside, hosted })[name];
  expect(settleLinks(["beside:x"], find)).toEqual([`${db.id}:x`]);
  expect(() => settleLinks(["hosted:x"], find)).toThrow("host type networking can't be used with links");
});

test("a linked container's new address takes the old one's place", () => {
  const hosts = "127.0.0.1\tlocalhost\n172.17.0.2\tdb data\nfd00::2\tdb data\n172.17.0.9\tdb2";
  expect(moveHost(hosts, "data", "172.17.0.7")).toBe(hosts.replace("172.17.0.2", "172.17.0.7"));
  expect(moveHost(hosts, "data", "fd00::7")).toBe(hosts.replace("fd00::2", "fd00::7"));
  expect(moveHost(hosts, "d", "1.2.3.4")).toBe(hosts);
});
