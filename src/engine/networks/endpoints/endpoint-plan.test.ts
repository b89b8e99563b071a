import { expect, test } from "bun:test";
import type { Family } from "../../../linux/inet.ts";
import type { SandboxRequest } from "../settings/network-mode.ts";
import { comparePrecedence, gatewaysOf, settledNetworking, wantedNetworks } from "./endpoint-plan.ts";

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
  expect(settledNetworking(request("default"), nameOf)).toEqual({ EndpointsConfig: { bridge: {} } });
  // Networks that are named replace the default one.
  expect(settledNetworking(request("default", { db: {} }), nameOf)).toEqual({ EndpointsConfig: { db: {} } });
  expect(settledNetworking(request("container:x"), nameOf)).toBeUndefined();
});

test("the mode's network comes first; once all are disconnected there is none", () => {
  const names = (asked: SandboxRequest) => wantedNetworks(asked).map(({ name }) => name);
  expect(names(request("app", { db: {}, app: {} }))).toEqual(["app", "db"]);
  expect(names(request("app", { db: {} }))).toEqual(["db"]);
  expect(names({ ...request("app"), networking: undefined })).toEqual(["app"]);
  expect(names(request("app"))).toEqual([]);
  expect(names(request("host", { host: {} }))).toEqual(["host"]);
});

test("the gateway: by priority, then name, never internal", () => {
  const of = (name: string, priority = 0, internal = false, families: Family[] = internal ? [] : [4]) => ({
    ...{ name, priority, internal, families },
  });
  const chosen = (...endpoints: ReturnType<typeof of>[]) => {
    const { 4: four, 6: six } = gatewaysOf(endpoints);
    return [four?.name, six?.name];
  };
  expect(chosen(of("b"), of("a"))).toEqual(["a", undefined]);
  expect(chosen(of("b", 1), of("a"))).toEqual(["b", undefined]);
  expect(chosen(of("a", 0, true), of("b"))).toEqual(["b", undefined]);
  expect(chosen(of("a", 0, true))).toEqual([undefined, undefined]);
  // A network with both versions comes before those with one, whatever their priority.
  expect(chosen(of("a", 5), of("b", 0, false, [6]))).toEqual(["a", "b"]);
  expect(chosen(of("a", 5), of("b", 0, false, [6]), of("c", 0, false, [4, 6]))).toEqual(["c", "c"]);
  const order = [of("c"), of("a", 0, true), of("b"), of("d", 1, true)].toSorted(comparePrecedence);
  expect(order.map(({ name }) => name)).toEqual(["d", "b", "c", "a"]);
});
