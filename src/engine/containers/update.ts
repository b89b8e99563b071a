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
  /** Returns warnings; throws with Docker's messages. */
  validate(current: HostConfig, request: ContainerUpdateRequest): string[];
  apply(container: Container, hostConfig: HostConfig, request: ContainerUpdateRequest): Promise<void>;
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
      const warnings = this.deps.validate(record.hostConfig, request);
      const updated = mergeResources(record.hostConfig, request);
      if (container.isRunning) await this.deps.apply(container, updated, request);
      record.hostConfig = updated;
      this.deps.store.save(container);
      this.deps.events.publish(container, "update");
      return { Warnings: warnings };
    });
  }
}

/** A field of 0, "" or nothing means: leave it. */
export function mergeResources(current: HostConfig, request: ContainerUpdateRequest): HostConfig {
  const { RestartPolicy: policy, ...resources } = request;
  const given = Object.entries(resources).filter(
    ([, value]) => value !== undefined && value !== null && value !== 0 && value !== "" && !isEmpty(value),
  );
  return { ...current, ...Object.fromEntries(given), ...(policy?.Name ? { RestartPolicy: policy } : {}) };
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
