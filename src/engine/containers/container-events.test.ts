/** Which attributes the events of containers carry. */
import { expect, test } from "bun:test";
import type { EngineEvent } from "../events/event-bus.ts";
import type { Container } from "./container.ts";
import { ContainerEvents } from "./container-events.ts";

function recorded(listeners = 0): { events: ContainerEvents; published: EngineEvent[] } {
  const published: EngineEvent[] = [];
  return { events: new ContainerEvents({ publish: (event) => void published.push(event), listeners }), published };
}

test("labels, image and name, and what the action adds", () => {
  const { events, published } = recorded();
  const record = { id: "c0ffee", name: "web", config: { Image: "busybox", Labels: { color: "red" } } };
  events.publish({ record } as unknown as Container, "die", { exitCode: "3" });
  const attributes = { color: "red", image: "busybox", name: "web", exitCode: "3" };
  expect(published).toEqual([{ type: "container", action: "die", id: "c0ffee", attributes }]);
});

test("a prune names no container, but what it freed", () => {
  const { events, published } = recorded();
  events.publishPrune(12);
  expect(published).toEqual([{ type: "container", action: "prune", id: "", attributes: { reclaimed: "12" } }]);
});

test("a container whose end was told of is found for a moment more, if anybody listens", () => {
  const ended = { record: { id: "c", name: "c", config: {} } } as unknown as Container;
  const longAgo = { diedAt: performance.now() - 1000 };
  for (const [listeners, shown] of [
    [0, false],
    [1, true],
  ] as const) {
    const { events } = recorded(listeners);
    expect(events.lookTime({ diedAt: undefined })).toBe(0);
    expect(events.lookTime(longAgo)).toBe(0);
    events.publish(ended, "die");
    expect(events.lookTime(ended) > 0).toBe(shown);
  }
});
