/** Networks and endpoints in the metadata database. An endpoint is a container's connection to a network, written before it is made. */
import type { PortMap } from "../../api/container-config.ts";
import type { EndpointIpamConfig } from "../../api/networks.ts";
import type { Family } from "../../linux/inet.ts";
import type { Database } from "../../metadata/database.ts";

export interface IpamRecord {
  subnet: string;
  /** Empty: there is none, or the pool is of a version that the network does not speak. */
  gateway: string;
  /** The user named the subnet but no gateway in it: `inspect` shows none, as with dockerd. */
  gatewayElected?: boolean | undefined;
  /** The user did not name the subnet, and so may not name addresses in it. */
  elected?: boolean | undefined;
  /** Part of the subnet that addresses are given from; absent: all of it. */
  ipRange?: string | undefined;
  /** Names and addresses that are given to nobody. */
  auxiliary?: Record<string, string> | undefined;
}

export type NetworkDriver = "bridge" | "host" | "null" | "macvlan" | "ipvlan";

export interface NetworkRecord {
  id: string;
  name: string;
  driver: NetworkDriver;
  /** RFC 3339. */
  created: string;
  /** Empty for host and none. */
  ipam: IpamRecord[];
  options: Record<string, string>;
  labels: Record<string, string>;
  /** No way in or out: containers on it reach each other only. */
  internal?: boolean;
  attachable?: boolean;
  /** The user named a subnet. */
  userSubnet?: boolean;
  ipamOptions?: Record<string, string>;
  /** False: no addresses of version 4. */
  ipv4?: boolean;
  /** True: addresses of version 6. */
  ipv6?: boolean;
  /** True: no network, but a configuration that others are made from. */
  configOnly?: boolean;
  /** Name of the configuration that it was made from. */
  configFrom?: string;
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
  /** Empty for host and none, and on networks without version 4. */
  ip: string;
  prefix: number;
  gateway: string;
  /** The same of version 6. */
  ip6?: string;
  prefix6?: number;
  gateway6?: string;
  mac: string;
  ports: PortMap;
  ipamConfig: EndpointIpamConfig | null;
  links: string[] | null;
  aliases: string[] | null;
  driverOpts: Record<string, string> | null;
  /** Names that this network's other containers resolve; null on the predefined ones. */
  dnsNames?: string[] | null;
  gwPriority?: number;
  /** The host's end of this endpoint's veth pair; empty: the interface has none. */
  veth?: string;
  /** The versions for which the container's published ports lead to this endpoint. */
  publishes?: Family[];
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

  /** The addresses in use on a network, of both versions. */
  listAddresses(networkId: string): Set<string> {
    const sql =
      "SELECT ipv4 AS ip FROM endpoints WHERE network = ?1 AND ipv4 IS NOT NULL UNION ALL SELECT ipv6 FROM endpoints WHERE network = ?1 AND ipv6 IS NOT NULL";
    return new Set(this.database.all<{ ip: string }>(sql, networkId).map(({ ip }) => ip));
  }

  /** Creates or replaces. Throws when another container has the address. */
  save(record: EndpointRecord): void {
    const sql =
      "INSERT INTO endpoints VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (network, container) DO UPDATE SET ipv4 = excluded.ipv4, ipv6 = excluded.ipv6, mac = excluded.mac, doc = excluded.doc";
    const { networkId, containerId, ip, ip6, mac } = record;
    this.database.run(sql, networkId, containerId, ip || null, ip6 || null, mac || null, JSON.stringify(record));
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
