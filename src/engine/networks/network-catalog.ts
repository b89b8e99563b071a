/** The `networks` noun of the API. So far it knows the three predefined networks; making others is a later step. */
import type { EndpointSettings, NetworkCreateRequest, NetworkInspect } from "../../api/networks.ts";
import type { Filters } from "../../api/system.ts";
import { nowRfc3339Nano } from "../../base/clock.ts";
import { forbidden, invalidArgument, notFound, notImplemented } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { ResolvedNetworkConfig } from "./network-config.ts";
import { matchesNetwork } from "./network-filters.ts";
import type { NetworkNames } from "./network-names.ts";
import type { EndpointStore, NetworkRecord, NetworkStore } from "./network-store.ts";

const predefined = [
  { name: "bridge", driver: "bridge" },
  { name: "host", driver: "host" },
  { name: "none", driver: "null" },
] as const;

export class NetworkCatalog {
  private readonly networks: NetworkStore;
  private readonly endpoints: EndpointStore;
  private readonly config: ResolvedNetworkConfig;
  private readonly names: NetworkNames;

  constructor(networks: NetworkStore, endpoints: EndpointStore, config: ResolvedNetworkConfig, names: NetworkNames) {
    this.networks = networks;
    this.endpoints = endpoints;
    this.config = config;
    this.names = names;
  }

  /** Writes the records of bridge, host and none. Idempotent; the configuration's options are taken over. */
  createPredefined(): void {
    for (const { name, driver } of predefined) {
      const known = this.networks.findByName(name);
      const options = name === "bridge" ? this.bridgeOptions() : {};
      const fresh: NetworkRecord = {
        id: newId(),
        name,
        driver,
        created: nowRfc3339Nano(),
        ipam: [],
        options,
        labels: {},
      };
      this.networks.save(known ? { ...known, options } : fresh);
    }
  }

  async list(filters: Filters): Promise<NetworkInspect[]> {
    const isUsed = new Set(this.endpoints.list().map(({ networkId }) => networkId));
    return this.visible()
      .filter((record) => matchesNetwork(record, filters, isUsed.has(record.id)))
      .map((record) => ({ ...toInspect(record), Containers: {} }));
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
        IPv6Address: "",
      },
    ]);
    return { ...toInspect(record), Containers: Object.fromEntries(containers) };
  }

  async create({ Name }: NetworkCreateRequest): Promise<{ Id: string; Warning: string }> {
    if (!Name) throw invalidArgument("invalid network name: name is empty");
    if (predefined.some(({ name }) => name === Name)) {
      throw forbidden(`operation is not permitted on predefined ${Name} network`);
    }
    throw notImplemented("user-defined networks are not built yet: use the bridge, host or none network");
  }

  async connect(id: string, _container: string, _endpoint: EndpointSettings | undefined): Promise<void> {
    this.find(id);
    throw notImplemented("connecting a container to another network is not built yet");
  }

  async disconnect(id: string, _container: string, _force: boolean): Promise<void> {
    this.find(id);
    throw notImplemented("disconnecting a container from its network is not built yet");
  }

  async remove(id: string): Promise<void> {
    const { name } = this.find(id);
    throw forbidden(`${name} is a pre-defined network and cannot be removed`);
  }

  /** Predefined networks are never pruned. */
  async prune(filters: Filters): Promise<{ NetworksDeleted: string[] | null }> {
    for (const name of Object.keys(filters)) {
      if (name !== "until" && name !== "label" && name !== "label!") throw invalidArgument(`invalid filter '${name}'`);
    }
    return { NetworksDeleted: null };
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

function toInspect(record: NetworkRecord): Omit<NetworkInspect, "Containers"> {
  const pools = record.ipam.map(({ subnet, gateway }) => ({ Subnet: subnet, Gateway: gateway }));
  return {
    Name: record.name,
    Id: record.id,
    Created: record.created,
    Scope: "local",
    Driver: record.driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: { Driver: "default", Options: null, Config: pools.length > 0 ? pools : null },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Options: record.options,
    Labels: record.labels,
  };
}
