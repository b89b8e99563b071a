/** Networks and endpoints in the metadata database. An endpoint is a container's connection to a network, written before it is made. */
import type { PortMap } from "../../api/container-config.ts";
import type { EndpointIpamConfig } from "../../api/networks.ts";
import type { Database } from "../../metadata/database.ts";

export interface IpamRecord {
  subnet: string;
  gateway: string;
  /** The user named the subnet but no gateway in it: `inspect` shows none, as with dockerd. */
  gatewayElected?: boolean | undefined;
  /** Part of the subnet that addresses are given from; absent: all of it. */
  ipRange?: string | undefined;
  /** Names and addresses that are given to nobody. */
  auxiliary?: Record<string, string> | undefined;
}

export interface NetworkRecord {
  id: string;
  name: string;
  driver: "bridge" | "host" | "null";
  /** RFC 3339. */
  created: string;
  /** Empty for host and none. */
  ipam: IpamRecord[];
  options: Record<string, string>;
  labels: Record<string, string>;
  /** No way in or out: containers on it reach each other only. */
  internal?: boolean;
  attachable?: boolean;
  /** The user named the subnet, and so may name addresses in it. */
  userSubnet?: boolean;
  ipamOptions?: Record<string, string>;
}

export interface EndpointRecord {
  containerId: string;
  /** Id of the network. */
  networkId: string;
  networkName: string;
  endpointId: string;
  sandboxId: string;
  /** Path of the sandbox's namespace; empty when the daemon has not made one. */
  sandboxKey: string;
  /** Name of the container. */
  containerName: string;
  /** Empty for host and none. */
  ip: string;
  prefix: number;
  gateway: string;
  mac: string;
  ports: PortMap;
  ipamConfig: EndpointIpamConfig | null;
  links: string[] | null;
  aliases: string[] | null;
  driverOpts: Record<string, string> | null;
  /** Names that this network's other containers resolve; null on the predefined ones. */
  dnsNames?: string[] | null;
  gwPriority?: number;
  /** The host's end of this endpoint's veth pair. */
  veth?: string;
  /** True for the one endpoint of a container that its published ports lead to. */
  publishes?: boolean;
  /** Servers that the name service asks for this container; empty: the host's. */
  dns?: string[];
}

export class NetworkStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  list(): NetworkRecord[] {
    return this.database.all<{ doc: string }>("SELECT doc FROM networks").map(({ doc }) => JSON.parse(doc));
  }

  findByName(name: string): NetworkRecord | undefined {
    const row = this.database.get<{ doc: string }>("SELECT doc FROM networks WHERE name = ?", name);
    return row && JSON.parse(row.doc);
  }

  findById(id: string): NetworkRecord | undefined {
    const row = this.database.get<{ doc: string }>("SELECT doc FROM networks WHERE id = ?", id);
    return row && JSON.parse(row.doc);
  }

  /** Idempotent. */
  delete(id: string): void {
    this.database.run("DELETE FROM networks WHERE id = ?", id);
  }

  /** Creates or replaces. */
  save(record: NetworkRecord): void {
    const sql =
      "INSERT INTO networks VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, doc = excluded.doc";
    this.database.run(sql, record.id, record.name, JSON.stringify(record));
  }
}

export class EndpointStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  list(): EndpointRecord[] {
    return this.database.all<{ doc: string }>("SELECT doc FROM endpoints").map(({ doc }) => JSON.parse(doc));
  }

  listByContainer(containerId: string): EndpointRecord[] {
    const sql = "SELECT doc FROM endpoints WHERE container = ?";
    return this.database.all<{ doc: string }>(sql, containerId).map(({ doc }) => JSON.parse(doc));
  }

  /** The addresses in use on a network. */
  listAddresses(networkId: string): Set<string> {
    const sql = "SELECT ipv4 FROM endpoints WHERE network = ? AND ipv4 IS NOT NULL";
    return new Set(this.database.all<{ ipv4: string }>(sql, networkId).map(({ ipv4 }) => ipv4));
  }

  /** Creates or replaces. Throws when another container has the address. */
  save(record: EndpointRecord): void {
    const sql =
      "INSERT INTO endpoints VALUES (?, ?, ?, NULL, ?, ?) ON CONFLICT (network, container) DO UPDATE SET ipv4 = excluded.ipv4, mac = excluded.mac, doc = excluded.doc";
    const { networkId, containerId, ip, mac } = record;
    this.database.run(sql, networkId, containerId, ip || null, mac || null, JSON.stringify(record));
  }

  listByNetwork(networkId: string): EndpointRecord[] {
    const sql = "SELECT doc FROM endpoints WHERE network = ?";
    return this.database.all<{ doc: string }>(sql, networkId).map(({ doc }) => JSON.parse(doc));
  }

  find(networkId: string, containerId: string): EndpointRecord | undefined {
    const sql = "SELECT doc FROM endpoints WHERE network = ? AND container = ?";
    const row = this.database.get<{ doc: string }>(sql, networkId, containerId);
    return row && JSON.parse(row.doc);
  }

  /** Idempotent. */
  delete({ networkId, containerId }: EndpointRecord): void {
    this.database.run("DELETE FROM endpoints WHERE network = ? AND container = ?", networkId, containerId);
  }

  deleteByContainer(containerId: string): void {
    this.database.run("DELETE FROM endpoints WHERE container = ?", containerId);
  }
}
