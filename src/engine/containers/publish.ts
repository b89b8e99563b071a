/** New port bindings for a container that exists: an extension of `docker update`, which knows none. A running container follows at once. */
import type { PortMap } from "../../api/container-config.ts";
import { conflict } from "../../base/errors.ts";
import { discardedPorts } from "../../runtime/spec/checks/validate.ts";
import type { NetworkManager } from "../networks/network-manager.ts";
import type { Container } from "./container.ts";
import { sandboxRequest } from "./lifecycle/launch.ts";

export class PortPublisher {
  private readonly networks: Pick<NetworkManager, "republish" | "currentSettings" | "validate">;

  constructor(networks: Pick<NetworkManager, "republish" | "currentSettings" | "validate">) {
    this.networks = networks;
  }

  /**
   * All bindings from now on; each port is exposed, too. A running container has them when this resolves, and those that stay are never
   * closed in between. The record is changed. Throws dockerd's errors, and then nothing has changed.
   */
  async publish(container: Container, bindings: PortMap): Promise<string[]> {
    const { record } = container;
    if (record.hostConfig.NetworkMode?.startsWith("container:") && Object.keys(bindings).length > 0) {
      throw conflict("conflicting options: port publishing and the container type network mode");
    }
    const exposed = Object.fromEntries(Object.keys(bindings).map((port) => [port, {}]));
    const config = { ...record.config, ExposedPorts: { ...record.config.ExposedPorts, ...exposed } };
    const changed = { ...record, config, hostConfig: { ...record.hostConfig, PortBindings: bindings } };
    this.networks.validate(sandboxRequest(changed));
    if (container.isRunning) {
      await this.networks.republish(sandboxRequest(changed));
      record.networkSettings = this.networks.currentSettings(record.id) ?? record.networkSettings;
    }
    record.config = changed.config;
    record.hostConfig = changed.hostConfig;
    return discardedPorts(changed.hostConfig);
  }
}
