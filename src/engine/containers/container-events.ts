/** The events of containers, with the attributes that Docker gives them: image, name, labels, and what the action adds. */
import type { EventBus } from "../events/event-bus.ts";
import type { Container } from "./container.ts";

/**
 * Who hears of a container's end looks at it; `docker compose up` even crashes when it is gone by then. With dockerd a removal takes that
 * long, so nobody notices.
 */
const lookMillis = 50;

export class ContainerEvents {
  private readonly bus: Pick<EventBus, "publish" | "listeners">;

  constructor(bus: Pick<EventBus, "publish" | "listeners">) {
    this.bus = bus;
  }

  publish(container: Container, action: string, attributes: Record<string, string> = {}): void {
    const { record } = container;
    if (action === "die") container.diedAt = performance.now();
    this.bus.publish({
      type: "container",
      action,
      id: record.id,
      attributes: { ...record.config.Labels, image: record.config.Image ?? "", name: record.name, ...attributes },
    });
  }

  /** How long a container that is to be removed should still be found, in milliseconds: for those who have just heard of its end. */
  lookTime({ diedAt }: Pick<Container, "diedAt">): number {
    if (this.bus.listeners === 0 || diedAt === undefined) return 0;
    return Math.max(0, diedAt + lookMillis - performance.now());
  }

  /** What a prune of containers freed, in bytes. */
  publishPrune(reclaimed: number): void {
    this.bus.publish({ type: "container", action: "prune", id: "", attributes: { reclaimed: String(reclaimed) } });
  }
}
