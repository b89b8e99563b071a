/** `docker update`: new limits on the record and, when it runs, on the cgroup; and the restart policy. */
import type { HostConfig } from "../../api/container-config.ts";
import type { ContainerUpdateRequest } from "../../api/containers.ts";
import { conflict } from "../../base/errors.ts";
import type { Container } from "./container.ts";
import type { ContainerEvents } from "./container-events.ts";
import type { ContainerStore } from "./container-store.ts";

export interface UpdateDependencies {
  store: ContainerStore;
  events: ContainerEvents;
  /** The new configuration and warnings; throws with Docker's messages. */
  validate(container: Container, request: ContainerUpdateRequest): { hostConfig: HostConfig; warnings: string[] };
  /** Writes the request's limits to the running container's cgroup. */
  apply(container: Container, request: ContainerUpdateRequest): Promise<void>;
}

export class Updater {
  private readonly deps: UpdateDependencies;

  constructor(deps: UpdateDependencies) {
    this.deps = deps;
  }

  update(container: Container, request: ContainerUpdateRequest): Promise<{ Warnings: string[] }> {
    return container.lifecycle.run(async () => {
      const { record } = container;
      if (record.removing)
        throw conflict(`Cannot update container ${record.id}: Container is marked for removal and cannot be "update".`);
      const { hostConfig, warnings } = this.deps.validate(container, request);
      if (container.isRunning) await this.deps.apply(container, request);
      record.hostConfig = hostConfig;
      this.deps.store.save(container);
      this.deps.events.publish(container, "update");
      return { Warnings: warnings };
    });
  }
}
