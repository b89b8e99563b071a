import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNetns, removeNetns, withNetns } from "./netns.ts";
import { RouteSocket } from "./rtnetlink.ts";

let directory: string;
let path: string;
const here = () => readlinkSync("/proc/thread-self/ns/net");
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "gantry-netns-"));
  path = join(directory, "sub", "a");
  createNetns(path, () => undefined);
});
afterAll(() => {
  removeNetns(path);
  rmSync(directory, { recursive: true });
});

test("work runs inside, and the thread is back outside even when it throws", () => {
  const outside = here();
  expect(withNetns(path, here)).not.toBe(outside);
  expect(() =>
    withNetns(path, () => {
      throw new Error("stop");
    }),
  ).toThrow("stop");
  expect(here()).toBe(outside);
});

test("a failing creation leaves no name, an existing name is refused", () => {
  const outside = here();
  const other = join(directory, "b");
  expect(() =>
    createNetns(other, () => {
      throw new Error("stop");
    }),
  ).toThrow("stop");
  expect([existsSync(other), here()]).toEqual([false, outside]);
  expect(() => createNetns(path, here)).toThrow("EEXIST");
  expect(withNetns(path, here)).not.toBe(outside);
});

test("links, addresses and routes inside a namespace", () => {
  withNetns(path, () => {
    using route = new RouteSocket();
    route.setLink(1, { up: true });
    route.createBridge("br0", { mtu: 1400, address: "02:42:00:00:00:01" });
    const bridge = route.getLink("br0");
    route.setLink(bridge.index, { up: true, alias: "mine" });
    expect(route.getLink("br0")).toMatchObject({
      up: true,
      mtu: 1400,
      address: "02:42:00:00:00:01",
      alias: "mine",
      kind: "bridge",
    });
    expect(() => route.createBridge("br0")).toThrow("create bridge br0: EEXIST");

    route.createVeth({ name: "v0", mtu: 1400, master: bridge.index, peer: { name: "v1" } });
    expect(route.getLink("v0")).toMatchObject({ master: bridge.index, kind: "veth", up: false });
    const peer = route.getLink("v1").index;
    const addresses = [
      { ip: "10.0.0.2", prefix: 24 },
      { ip: "fd00::2", prefix: 64 },
    ];
    const routes = [
      { family: 4 as const, via: "10.0.0.1" },
      { family: 6 as const, via: "fd00::1" },
    ];
    route.configure(peer, { address: "02:42:0a:00:00:02", up: true }, { addresses, routes });
    for (const address of addresses) expect(route.listAddresses()).toContainEqual({ ...address, link: peer });
    const own = () => route.listRoutes().filter(({ destination, link }) => link === peer && destination !== "fe80::");
    expect(own()).toEqual([
      { destination: "0.0.0.0", prefix: 0, gateway: "10.0.0.1", link: peer },
      { destination: "10.0.0.0", prefix: 24, gateway: undefined, link: peer },
      { destination: "fd00::", prefix: 64, gateway: undefined, link: peer },
      { destination: "::", prefix: 0, gateway: "fd00::1", link: peer },
    ]);
    for (const route6 of routes) route.deleteDefaultRoute(peer, route6);
    for (const address of addresses) route.deleteAddress(peer, address);
    expect(own()).toEqual([]);

    route.deleteLink(bridge.index);
    expect(route.findLink("br0")).toBeUndefined();
    expect(() => route.getLink("br0")).toThrow("ENODEV");
  });
});
