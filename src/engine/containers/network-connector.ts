/** `network connect` and `disconnect`: the container's record says to which networks it belongs, and a running one follows at once. */
import type { EndpointSettings } from "../../api/networks.ts";
import { forbidden, invalidArgument } from "../../base/errors.ts";
import { predefinedNames } from "../networks/endpoint-plan.ts";
import type { ContainerConnector } from "../networks/network-catalog.ts";
import type { NetworkManager } from "../networks/network-manager.ts";
import type { NetworkRecord } from "../networks/network-store.ts";
import type { Container } from "./container.ts";
import type { ContainerStore } from "./container-store.ts";
import { networkFiles, sandboxRequest } from "./lifecycle/launch.ts";
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
  >;
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
      refuseMode(record.hostConfig.NetworkMode ?? "", network.name);
      // A stopped container's settings may be changed; a running one's connection may not be made twice.
      if (network.name in endpoints && container.isRunning) {
        throw forbidden(`endpoint with name ${record.name} already exists in network ${network.name}`);
      }
      const networking = { EndpointsConfig: { ...endpoints, [network.name]: settings } };
      const request = { ...sandboxRequest(record), networking };
      checkSettings(network, settings);
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
      if (network.name === "host") {
        throw invalidArgument("container cannot be disconnected from host network or connected to host network");
      }
      if (!(network.name in endpoints)) {
        throw forbidden(`container ${record.id} is not connected to network ${network.name}`);
      }
      if (container.isRunning && network.name !== "none") {
        await this.deps.networks.disconnectLive(sandboxRequest(record), network.name);
      }
      delete endpoints[network.name];
      record.networking = { EndpointsConfig: endpoints };
      this.show(container);
    });
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

function refuseMode(mode: string, network: string): void {
  if (mode.startsWith("container:")) {
    throw invalidArgument(
      "container sharing network namespace with another container or host cannot be connected to any other network",
    );
  }
  if (mode === "host" || network === "host") {
    throw invalidArgument("container cannot be disconnected from host network or connected to host network");
  }
  if (mode === "none" || network === "none") {
    throw invalidArgument(
      "container cannot be connected to multiple networks with one of the networks in private (none) mode",
    );
  }
}

function checkSettings({ name }: NetworkRecord, { IPAMConfig: ipam, Aliases: aliases }: EndpointSettings): void {
  if (!predefinedNames.includes(name)) return;
  const fail = (words: string) => invalidArgument(`invalid endpoint settings:\n${words}`);
  if (ipam?.IPv4Address || ipam?.IPv6Address)
    throw fail("user specified IP address is supported on user defined networks only");
  if (aliases && aliases.length > 0) {
    throw fail("network-scoped alias is supported only for containers in user defined networks");
  }
}

function addressesOf(networks: Record<string, EndpointSettings>): string[] {
  return Object.values(networks).flatMap(({ IPAddress }) => (IPAddress ? [IPAddress] : []));
}
