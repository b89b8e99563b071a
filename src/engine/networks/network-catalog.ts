/** The `networks` noun of the API: the three predefined networks and those that users make. */

import { labelsMatch } from "../../api/filters.ts";
import type { EndpointSettings, NetworkCreateRequest, NetworkInspect } from "../../api/networks.ts";
import type { Filters } from "../../api/system.ts";
import { fromRfc3339, nowRfc3339Nano } from "../../base/clock.ts";
import { forbidden, invalidArgument, notFound, unavailable } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import { Mutex } from "../../base/mutex.ts";
import type { Prefix } from "../../linux/inet.ts";
import { parseUntil } from "../events/until.ts";
import { speaks } from "./addresses/network-pools.ts";
import type { AddressPool } from "./addresses/subnets.ts";
import type { EndpointStore, NetworkRecord, NetworkStore } from "./network-store.ts";
import type { ResolvedNetworkConfig } from "./settings/network-config.ts";
import { matchesNetwork } from "./settings/network-filters.ts";
import type { NetworkNames } from "./settings/network-names.ts";
import { planNetwork } from "./settings/network-plan.ts";

const predefined = [
  { name: "bridge", driver: "bridge" },
  { name: "host", driver: "host" },
  { name: "none", driver: "null" },
] as const;

/** What the catalog needs of the kernel's side. */
export interface CatalogBridges {
  openUser(record: NetworkRecord, options: { fresh: boolean }): Promise<void>;
  remove(networkId: string): Promise<void>;
}

/** What `network connect` and `disconnect` are about: the engine's containers. */
export interface ContainerConnector {
  connect(network: NetworkRecord, container: string, settings: EndpointSettings): Promise<void>;
  disconnect(network: NetworkRecord, container: string, force: boolean): Promise<void>;
}

export interface CatalogOptions {
  networks: NetworkStore;
  endpoints: EndpointStore;
  config: ResolvedNetworkConfig;
  names: NetworkNames;
  /** Where subnets of version 6 are from unless the configuration has some. */
  localPools: readonly AddressPool[];
  bridges: CatalogBridges;
  /** What the host uses of the address space. */
  usedPrefixes: () => Promise<Prefix[]>;
  publish: (event: { type: string; action: string; id: string; attributes: Record<string, string> }) => void;
}

export class NetworkCatalog {
  private readonly options: CatalogOptions;
  private readonly networks: NetworkStore;
  private readonly endpoints: EndpointStore;
  private readonly config: ResolvedNetworkConfig;
  private readonly names: NetworkNames;
  /** Creates and removals one after another: each decides by what there is. */
  private readonly changes = new Mutex();
  private connector: ContainerConnector | undefined;

  constructor(options: CatalogOptions) {
    this.options = options;
    this.networks = options.networks;
    this.endpoints = options.endpoints;
    this.config = options.config;
    this.names = options.names;
  }

  /** Called once, when the containers exist, which themselves need the networks. */
  useConnector(connector: ContainerConnector): void {
    this.connector = connector;
  }

  /** Writes the records of bridge, host and none. Idempotent; the configuration's options are taken over. */
  createPredefined(): void {
    for (const { name, driver } of predefined) {
      const known = this.networks.findByName(name);
      const options = name === "bridge" ? this.bridgeOptions() : {};
      const ipv6 = name === "bridge" && this.config.ipv6 === true;
      const fresh: NetworkRecord = {
        id: newId(),
        name,
        driver,
        created: nowRfc3339Nano(),
        ipam: [],
        options,
        labels: {},
        ipv6,
      };
      this.networks.save(known ? { ...known, options, ipv6 } : fresh);
    }
  }

  async list(filters: Filters): Promise<NetworkInspect[]> {
    const isUsed = new Set(this.endpoints.list().map(({ networkId }) => networkId));
    return this.visible()
      .filter((record) => matchesNetwork(record, filters, isUsed.has(record.id)))
      .map((record) => toInspect(record, {}));
  }

  async inspect(id: string, options: { scope?: string | undefined; verbose: boolean }): Promise<NetworkInspect> {
    const record = this.find(id);
    if (options.scope && options.scope !== "local") throw notFound(`network ${id} not found`);
    const members = this.endpoints.list().filter(({ networkId }) => networkId === record.id);
    const containers = members.map((endpoint) => [
      endpoint.containerId,
      {
        Name: endpoint.containerName,
        EndpointID: endpoint.endpointId,
        MacAddress: endpoint.mac,
        IPv4Address: endpoint.ip && `${endpoint.ip}/${endpoint.prefix}`,
        IPv6Address: endpoint.ip6 ? `${endpoint.ip6}/${endpoint.prefix6}` : "",
      },
    ]);
    return toInspect(record, Object.fromEntries(containers));
  }

  async create(request: NetworkCreateRequest): Promise<{ Id: string; Warning: string }> {
    const { Name } = request;
    if (Name.trim() === "") throw invalidArgument("invalid name: name is empty");
    if (Name === "default" || predefined.some(({ name }) => name === Name)) {
      throw forbidden(`operation is not permitted on predefined ${Name} network`);
    }
    return this.changes.run(async () => {
      const { defaultAddressPools: pools, defaultNetworkOptions: defaultOptions, mtu } = this.config;
      const record = planNetwork(request, {
        ...{ id: newId(), created: nowRfc3339Nano(), pools, defaultOptions, mtu },
        localPools: this.options.localPools,
        used: await this.options.usedPrefixes(),
        existing: this.networks.list(),
      });
      this.networks.save(record);
      if (record.configOnly) {
        this.report("create", record);
        return { Id: record.id, Warning: "" };
      }
      try {
        await this.options.bridges.openUser(record, { fresh: true });
      } catch (error) {
        this.networks.delete(record.id);
        throw error;
      }
      this.report("create", record);
      return { Id: record.id, Warning: "" };
    });
  }

  async connect(id: string, container: string, endpoint: EndpointSettings | undefined): Promise<void> {
    const record = this.find(id);
    await this.containers().connect(record, container, endpoint ?? {});
  }

  async disconnect(id: string, container: string, force: boolean): Promise<void> {
    const record = this.find(id);
    await this.containers().disconnect(record, container, force);
  }

  async remove(id: string): Promise<void> {
    await this.changes.run(() => this.removeRecord(this.find(id)));
  }

  /** Those that no container is connected to now, but the predefined. */
  async prune(filters: Filters): Promise<{ NetworksDeleted: string[] | null }> {
    for (const name of Object.keys(filters)) {
      if (name !== "until" && name !== "label" && name !== "label!") throw invalidArgument(`invalid filter '${name}'`);
    }
    const untils = filters["until"] ?? [];
    if (untils.length > 1) throw invalidArgument("more than one until filter specified");
    const until = untils[0] === undefined ? undefined : parseUntil(untils[0]);
    return this.changes.run(async () => {
      const deleted: string[] = [];
      for (const record of this.visible()) {
        if (record.configOnly || predefined.some(({ name }) => name === record.name)) continue;
        if (until !== undefined && (fromRfc3339(record.created) ?? 0n) >= until) continue;
        if (!labelsMatch(filters, record.labels) || this.endpoints.listByNetwork(record.id).length > 0) continue;
        await this.removeRecord(record);
        deleted.push(record.name);
      }
      this.options.publish({
        type: "network",
        action: "prune",
        id: "",
        attributes: { reclaimed: "0" },
      });
      return { NetworksDeleted: deleted.length > 0 ? deleted : null };
    });
  }

  /** As `find`, but undefined when there is none (or several). */
  lookUp(reference: string): NetworkRecord | undefined {
    const exact = this.networks.findByName(reference) ?? this.networks.findById(reference);
    if (exact || !/^[\da-f]{3,63}$/.test(reference)) return exact;
    const matches = this.visible().filter(({ id }) => id.startsWith(reference));
    return matches.length === 1 ? matches[0] : undefined;
  }

  /** The kernel's things first: a crash in between leaves the row, by which the next daemon makes them again. */
  private async removeRecord(record: NetworkRecord): Promise<void> {
    const { id, name } = record;
    if (predefined.some((entry) => entry.name === name)) {
      throw forbidden(`${name} is a pre-defined network and cannot be removed`);
    }
    if (record.configOnly && this.networks.list().some(({ configFrom }) => configFrom === name)) {
      throw forbidden(`error while removing network: configuration network ${JSON.stringify(name)} is in use`);
    }
    const members = this.endpoints.listByNetwork(id);
    if (members.length > 0) {
      const list = members.map(
        ({ containerName, endpointId }) => `name:"${containerName}" id:"${endpointId.slice(0, 12)}"`,
      );
      throw forbidden(`error while removing network: network ${name} has active endpoints (${list.join(", ")})`);
    }
    await this.options.bridges.remove(id);
    this.networks.delete(id);
    this.report("destroy", record);
  }

  private containers(): ContainerConnector {
    if (!this.connector) throw unavailable("the daemon is still starting");
    return this.connector;
  }

  private report(action: "create" | "destroy", { id, name, driver }: NetworkRecord): void {
    this.options.publish({ type: "network", action, id, attributes: { name, type: driver } });
  }

  /** By name, id, or an id's unique beginning, in this order. */
  private find(reference: string): NetworkRecord {
    const records = this.visible();
    const exact = records.find(({ name, id }) => name === reference || id === reference);
    if (exact) return exact;
    const matches = reference === "" ? [] : records.filter(({ id }) => id.startsWith(reference));
    if (matches.length > 1) {
      throw invalidArgument(`network ${reference} is ambiguous (${matches.length} matches found based on ID prefix)`);
    }
    if (!matches[0]) throw notFound(`network ${reference} not found`);
    return matches[0];
  }

  private visible(): NetworkRecord[] {
    return this.networks.list().filter(({ name }) => name !== "bridge" || this.config.bridge !== "none");
  }

  private bridgeOptions(): Record<string, string> {
    const { icc, ipMasq, defaultBindAddress, mtu } = this.config;
    const prefix = "com.docker.network";
    return {
      [`${prefix}.bridge.default_bridge`]: "true",
      [`${prefix}.bridge.enable_icc`]: String(icc),
      [`${prefix}.bridge.enable_ip_masquerade`]: String(ipMasq),
      [`${prefix}.bridge.host_binding_ipv4`]: defaultBindAddress,
      [`${prefix}.bridge.name`]: this.names.bridge,
      [`${prefix}.driver.mtu`]: String(mtu),
    };
  }
}

function toInspect(record: NetworkRecord, containers: NetworkInspect["Containers"]): NetworkInspect {
  const pools = record.ipam.map(({ subnet, gateway, gatewayElected, ipRange, auxiliary }) => ({
    Subnet: subnet,
    ...(ipRange ? { IPRange: ipRange } : {}),
    ...(gatewayElected || gateway === "" ? {} : { Gateway: gateway }),
    ...(auxiliary ? { AuxiliaryAddresses: auxiliary } : {}),
  }));
  return {
    Name: record.name,
    Id: record.id,
    Created: record.created,
    Scope: "local",
    Driver: record.driver,
    EnableIPv4: speaks(record, 4),
    EnableIPv6: speaks(record, 6),
    IPAM: { Driver: "default", Options: record.ipamOptions ?? null, Config: pools.length > 0 ? pools : null },
    Internal: record.internal === true,
    Attachable: record.attachable === true,
    Ingress: false,
    ConfigFrom: { Network: record.configFrom ?? "" },
    ConfigOnly: record.configOnly === true,
    Containers: containers,
    Options: record.options,
    Labels: record.labels,
  };
}
