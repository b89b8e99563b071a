import { describe, expect, test } from "bun:test";
import type { EventMessage, Filters } from "../../api/system.ts";
import { nowNanos } from "../../base/clock.ts";
import { EventBus } from "./event-bus.ts";

const never = new AbortController().signal;

async function past(bus: EventBus, filters: Filters = {}, since = 0n): Promise<string[]> {
  // A few milliseconds on: events made within one microsecond are given later times than now.
  const stream = bus.stream({ since, until: nowNanos() + 5_000_000n, filters, signal: never });
  const seen: string[] = [];
  for await (const event of stream) seen.push(`${event.Type} ${event.Action} ${event.Actor.ID}`);
  return seen;
}

describe("event bus", () => {
  test("gives past and live events in one unbroken sequence", async () => {
    const bus = new EventBus();
    for (let i = 0; i < 5; i++) bus.publish({ type: "container", action: "start", id: `c${i}` });
    const abort = new AbortController();
    const stream = bus.stream({ since: 0n, filters: {}, signal: abort.signal });
    for (let i = 5; i < 10; i++) bus.publish({ type: "container", action: "start", id: `c${i}` });
    const seen: EventMessage[] = [];
    for await (const event of stream) {
      seen.push(event);
      if (seen.length === 10) abort.abort();
    }
    expect(seen.map((event) => event.Actor.ID)).toEqual(Array.from({ length: 10 }, (_, i) => `c${i}`));
    expect(bus.listeners).toBe(0);
  });

  test("an end alone asks for all that is kept until then", async () => {
    const bus = new EventBus();
    bus.publish({ type: "volume", action: "create", id: "v" });
    const seen: string[] = [];
    for await (const { Actor } of bus.stream({ until: nowNanos() + 5_000_000n, filters: {}, signal: never })) {
      seen.push(Actor.ID);
    }
    expect(seen).toEqual(["v"]);
  });

  test("has the wire form of dockerd, with the old fields of containers and images", async () => {
    const bus = new EventBus();
    bus.publish({ type: "container", action: "die", id: "abc", attributes: { image: "busybox", exitCode: "3" } });
    bus.publish({ type: "volume", action: "create", id: "v" });
    const all: EventMessage[] = [];
    for await (const event of bus.stream({ since: 0n, until: nowNanos() + 1_000_000n, filters: {}, signal: never })) {
      all.push(event);
    }
    expect(all[0]).toMatchObject({ status: "die", id: "abc", from: "busybox", Type: "container", scope: "local" });
    expect(all[0]?.Actor).toEqual({ ID: "abc", Attributes: { image: "busybox", exitCode: "3" } });
    expect(all[1]).not.toHaveProperty("status");
    expect(Math.floor((all[0]?.timeNano ?? 0) / 1e9)).toBe(all[0]?.time ?? -1);
  });

  test("since and until are bounds, and until in the future ends a live stream", async () => {
    const bus = new EventBus();
    bus.publish({ type: "image", action: "tag", id: "old" });
    await Bun.sleep(2);
    const middle = nowNanos();
    bus.publish({ type: "image", action: "tag", id: "new" });
    expect(await past(bus, {}, middle)).toEqual(["image tag new"]);
    const early: string[] = [];
    for await (const event of bus.stream({ since: 0n, until: middle, filters: {}, signal: never })) {
      early.push(event.Actor.ID);
    }
    expect(early).toEqual(["old"]);
    expect(bus.listeners).toBe(0);
  });

  test("keeps the last thousand events", async () => {
    const bus = new EventBus();
    for (let i = 0; i < 2500; i++) bus.publish({ type: "container", action: "start", id: String(i) });
    const seen = await past(bus);
    expect(seen.length).toBe(1000);
    expect(seen[999]).toBe("container start 2499");
  });

  test("cuts a reader off that never reads", async () => {
    const bus = new EventBus();
    const stream = bus.stream({ filters: {}, signal: never });
    for (let i = 0; i < 20_001; i++) bus.publish({ type: "container", action: "start", id: String(i) });
    expect(bus.listeners).toBe(0);
    let count = 0;
    const read = async () => {
      for await (const _ of stream) count++;
    };
    await expect(read()).rejects.toThrow("reads too slowly");
    expect(count).toBe(20_000);
  });
});

describe("event filters", () => {
  const bus = new EventBus();
  bus.publish({
    type: "container",
    action: "exec_start: sh -c ls",
    id: "c0ffee",
    attributes: { name: "web", image: "debian:12", tier: "front" },
  });
  bus.publish({ type: "container", action: "die", id: "deadbeef", attributes: { name: "db", image: "redis" } });
  bus.publish({ type: "image", action: "tag", id: "sha256:aa", attributes: { name: "debian:12" } });
  bus.publish({ type: "network", action: "connect", id: "n1", attributes: { name: "bridge" } });

  const cases: [Filters, string[]][] = [
    [{ type: ["image"] }, ["sha256:aa"]],
    [{ event: ["die"] }, ["deadbeef"]],
    [{ event: ["exec_start"] }, ["c0ffee"]],
    [{ event: ["exec_start: sh -c ls", "die"] }, ["c0ffee", "deadbeef"]],
    [{ container: ["we"] }, ["c0ffee"]],
    [{ container: ["dead"] }, ["deadbeef"]],
    [{ image: ["debian"] }, ["c0ffee", "sha256:aa"]],
    [{ image: ["debian:12"], type: ["container"] }, ["c0ffee"]],
    [{ label: ["tier"] }, ["c0ffee"]],
    [{ label: ["tier=back"] }, []],
    [{ network: ["bridge"] }, ["n1"]],
    [{ scope: ["swarm"] }, []],
  ];
  for (const [filters, ids] of cases) {
    test(JSON.stringify(filters), async () => {
      expect((await past(bus, filters)).map((line) => line.split(" ").at(-1) as string)).toEqual(ids);
    });
  }
});
