import { expect, test } from "bun:test";
import type { EndpointRecord } from "../network-store.ts";
import { NameIndex } from "./name-index.ts";

const endpoint = (containerName: string, ip: string, dnsNames: string[]) =>
  ({ containerName, containerId: `id-of-${containerName}`, ip, dnsNames }) as EndpointRecord;

const index = new NameIndex("Shop", [
  endpoint("web-1", "10.0.0.2", ["web-1", "Web"]),
  endpoint("web-2", "10.0.0.3", ["web-2", "web", "WEB"]),
  endpoint("idle", "", ["idle"]),
]);

test("names, aliases and ids, with and without the network's name", () => {
  expect(index.find("web-1")).toEqual(["10.0.0.2"]);
  expect(index.find("web")).toEqual(["10.0.0.2", "10.0.0.3"]);
  expect(index.find("web.shop")).toEqual(["10.0.0.2", "10.0.0.3"]);
  expect(index.find("id-of-web-1")).toEqual(["10.0.0.2"]);
});

test("what has no address or is elsewhere is not found", () => {
  expect(index.find("idle")).toEqual([]);
  expect(index.find("web.other")).toEqual([]);
  expect(index.find("shop")).toEqual([]);
});

test("reverse", () => {
  expect(index.reverse("10.0.0.3")).toBe("web-2.Shop");
  expect(index.reverse("10.0.0.9")).toBeUndefined();
});
