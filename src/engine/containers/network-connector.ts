/** `network connect` and `disconnect`: the container's record says to which networks it belongs, and a running one follows at once. */
import type { EndpointSettings } from "../../api/networks.ts";
import { forbidden, internal, invalidArgument } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { endpointProblems } from "../networks/endpoints/endpoint-problems.ts";
import type { ContainerConnector } from "../networks/network-catalog.ts";
import type { NetworkManager } from "../networks/network-manager.ts";
import type { NetworkRecord } from "../networks/network-store.ts";
import { joinProblems } from "../networks/problems.ts";
import type { Container } from "./container.ts";
import type { ContainerStore } from "./container-store.ts";
import { endpointAddresses, networkFiles, sandboxRequest } from "./lifecycle/launch.ts";
import type { ContainerPaths } from "./paths.ts";

export interface NetworkConnectorDependencies {
  store: ContainerStore;
  networks: Pick<
    NetworkManager,
    | "validate"
    | "connectLive"
    | "disconnectLive"
    | "createdSettings"
    | "currentSettings"
    | "amendFiles"
    | "forgetContainer"
    | "connectedNetworks"
    | "republish"
  >;
  log: Logger;
  paths: ContainerPaths;
}

type Endpoints = Record<string, EndpointSettings | null>;

export class NetworkConnector implements ContainerConnector {
  private readonly deps: NetworkConnectorDependencies;

  constructor(deps: NetworkConnectorDependencies) {
    this.deps = deps;
  }

  async connect(network: NetworkRecord, reference: string, settings: EndpointSettings): Promise<void> {
    const container = this.deps.store.get(reference);
    await container.lifecycle.run(async () => {
      const { record } = container;
      const endpoints = { ...record.networking?.EndpointsConfig };
      refuseMode(record.hostConfig.NetworkMode ?? "", network.name, Object.keys(endpoints));
      checkSettings(network, settings);
      // A stopped container's settings may be changed; a running one's connection may not be made twice.
      if (network.name in endpoints && container.isRunning) {
        throw forbidden(`endpoint with name ${record.name} already exists in network ${network.name}`);
      }
      const networking = { EndpointsConfig: { ...endpoints, [network.name]: settings } };
      const request = { ...sandboxRequest(record), networking };
      this.deps.networks.validate(request);
      if (container.isRunning) {
        await this.deps.networks.connectLive(request, network.name, settings, record.state.pid);
      }
      record.networking = networking;
      this.show(container);
    });
  }

  async disconnect(network: NetworkRecord, reference: string, force: boolean): Promise<void> {
    const container = this.deps.store.find(reference);
    if (!container) {
      if (!force) this.deps.store.get(reference);
      await this.deps.networks.forgetContainer(network, reference);
      return;
    }
    await container.lifecycle.run(async () => {
      const { record } = container;
      const endpoints: Endpoints = { ...record.networking?.EndpointsConfig };
      if (network.name === "host" && record.hostConfig.NetworkMode === "host") {
        throw invalidArgument(
          "cannot disconnect container from host network - container was created in host network mode",
        );
      }
      if (!(network.name in endpoints)) {
        const which = container.isRunning ? "network" : "the network";
        throw internal(`container ${record.id} is not connected to ${which} ${network.name}`);
      }
      if (container.isRunning) {
        await this.deps.networks.disconnectLive(sandboxRequest(record), network.name);
      }
      delete endpoints[network.name];
      record.networking = { EndpointsConfig: endpoints };
      this.show(container);
    });
  }

  /**
   * At the daemon's start, when the networks are there: a container that runs is on the networks that it is connected to, although the
   * daemon was killed before it could write so, and its published ports are those of its record.
   */
  async reconcile(live: ReadonlySet<string>): Promise<void> {
    for (const container of this.deps.store.list()) {
      const { record } = container;
      const endpoints = record.networking?.EndpointsConfig;
      if (!live.has(record.id) || !endpoints) continue;
      const connected = this.deps.networks.connectedNetworks(record.id);
      const entries = connected.map((name) => [name, endpoints[name] ?? {}] as const);
      record.networking = { EndpointsConfig: Object.fromEntries(entries) };
      await this.deps.networks.republish(sandboxRequest(record)).catch((error: unknown) => {
        this.deps.log.error("a container's ports cannot be published", { container: record.id, error });
      });
      const current = this.deps.networks.currentSettings(record.id);
      if (JSON.stringify(current) !== JSON.stringify(record.networkSettings)) this.show(container);
    }
  }

  /** Record, database and the container's files follow what is connected now. */
  private show(container: Container): void {
    const { networks, paths, store } = this.deps;
    const { record } = container;
    const before = addressesOf(record.networkSettings.Networks);
    if (container.isRunning) {
      record.networkSettings = networks.currentSettings(record.id) ?? {
        ...networks.createdSettings(sandboxRequest(record)),
        Networks: {},
      };
      const now = addressesOf(record.networkSettings.Networks);
      networks.amendFiles(networkFiles(record, record.networkSettings, paths.data(record.id)), {
        gone: before.filter((address) => !now.includes(address)),
        added: now.filter((address) => !before.includes(address)),
      });
    } else {
      const isEmpty = Object.keys(record.networking?.EndpointsConfig ?? {}).length === 0;
      const shown = networks.createdSettings(sandboxRequest(record));
      record.networkSettings = isEmpty ? { ...shown, Networks: {} } : shown;
    }
    store.save(container);
  }
}

function refuseMode(mode: string, network: string, current: readonly string[]): void {
  if (mode.startsWith("container:") || mode === "host") {
    throw invalidArgument(
      "container sharing network namespace with another container or host cannot be connected to any other network",
    );
  }
  if (network === "host") {
    throw invalidArgument("cannot connect container to host network - container must be created in host network mode");
  }
  if (current.includes("none") || (network === "none" && current.length > 0)) {
    throw invalidArgument(
      "container cannot be connected to multiple networks with one of the networks in private (none) mode",
    );
  }
}

function checkSettings(network: NetworkRecord, settings: EndpointSettings): void {
  const problems = endpointProblems(network, settings);
  if (problems.length > 0) throw invalidArgument(`invalid endpoint settings:\n${joinProblems(problems)}`);
}

function addressesOf(networks: Record<string, EndpointSettings>): string[] {
  return Object.values(networks).flatMap(endpointAddresses);
}
