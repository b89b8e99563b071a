/** The events of containers, with the attributes that Docker gives them: image, name, labels, and what the action adds. */
import type { EventBus } from "../events/event-bus.ts";
import type { Container } from "./container.ts";

export class ContainerEvents {
  private readonly bus: Pick<EventBus, "publish">;

  constructor(bus: Pick<EventBus, "publish">) {
    this.bus = bus;
  }

  publish({ record }: Container, action: string, attributes: Record<string, string> = {}): void {
    this.bus.publish({
      type: "container",
      action,
      id: record.id,
      attributes: { ...record.config.Labels, image: record.config.Image ?? "", name: record.name, ...attributes },
    });
  }

  /** What a prune of containers freed, in bytes. */
  publishPrune(reclaimed: number): void {
    this.bus.publish({ type: "container", action: "prune", id: "", attributes: { reclaimed: String(reclaimed) } });
  }
}
