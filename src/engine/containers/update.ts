/** `docker update`: new limits on the record and, when it runs, on the cgroup; the restart policy; and port bindings. */
import type { HostConfig, PortMap } from "../../api/container-config.ts";
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
  /** See publish.ts. */
  publish(container: Container, bindings: PortMap): Promise<string[]>;
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
      const before = record.hostConfig.PortBindings ?? {};
      if (request.PortBindings) warnings.push(...(await this.deps.publish(container, request.PortBindings)));
      const { PortBindings = {} } = record.hostConfig;
      try {
        if (container.isRunning) await this.deps.apply(container, request);
      } catch (error) {
        if (request.PortBindings) await this.deps.publish(container, before);
        throw error;
      }
      record.hostConfig = { ...hostConfig, PortBindings };
      this.deps.store.save(container);
      this.deps.events.publish(container, "update");
      return { Warnings: warnings };
    });
  }
}
