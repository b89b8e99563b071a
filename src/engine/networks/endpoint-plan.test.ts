import { expect, test } from "bun:test";
import { comparePrecedence, gatewayOf, settledNetworking, wantedNetworks } from "./endpoint-plan.ts";
import type { SandboxRequest } from "./network-mode.ts";

const request = (mode: string, endpoints: Record<string, object> = {}): SandboxRequest => ({
  containerId: "c",
  name: "web",
  config: {},
  hostConfig: { NetworkMode: mode },
  networking: { EndpointsConfig: endpoints },
});

test("the mode's own network is among the settled ones, under its own name", () => {
  const nameOf = (reference: string) => (reference === "abc123" ? "app" : reference);
  expect(settledNetworking(request("abc123", { abc123: { Aliases: ["x"] }, db: {} }), nameOf)).toEqual({
    EndpointsConfig: { app: { Aliases: ["x"] }, db: {} },
  });
  expect(settledNetworking(request("default", { default: {} }), nameOf)).toEqual({ EndpointsConfig: { bridge: {} } });
  expect(settledNetworking(request("container:x"), nameOf)).toBeUndefined();
});

test("the mode's network comes first; without any it comes back", () => {
  const names = (asked: SandboxRequest) => wantedNetworks(asked).map(({ name }) => name);
  expect(names(request("app", { db: {}, app: {} }))).toEqual(["app", "db"]);
  expect(names(request("app", { db: {} }))).toEqual(["db"]);
  expect(names(request("app"))).toEqual(["app"]);
  expect(names(request("host", { host: {} }))).toEqual(["host"]);
});

test("the gateway: by priority, then name, never internal", () => {
  const of = (name: string, priority = 0, internal = false) => ({ name, priority, internal });
  expect(gatewayOf([of("b"), of("a")])?.name).toBe("a");
  expect(gatewayOf([of("b", 1), of("a")])?.name).toBe("b");
  expect(gatewayOf([of("a", 0, true), of("b")])?.name).toBe("b");
  expect(gatewayOf([of("a", 0, true)])).toBeUndefined();
  const order = [of("c"), of("a", 0, true), of("b"), of("d", 1, true)].toSorted(comparePrecedence);
  expect(order.map(({ name }) => name)).toEqual(["d", "b", "c", "a"]);
});
