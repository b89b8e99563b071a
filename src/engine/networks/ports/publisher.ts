/** Publishes containers' ports: rows and sockets first, then the packet filter; follows a container's way out, and changes of wishes. */
import { errorMessage, internal } from "../../../base/errors.ts";
import type { Family } from "../../../linux/inet.ts";
import type { Database } from "../../../metadata/database.ts";
import type { ConnectableNetwork } from "../drivers/connectable-network.ts";
import type { EndpointRecord, EndpointStore } from "../network-store.ts";
import type { SandboxRequest } from "../settings/network-mode.ts";
import type { PortAllocator } from "./port-allocator.ts";
import { type PublishedPort, parsePortBindings, toPortMap } from "./port-bindings.ts";
import { isSamePort, matchPorts, type PortGroup, planPublication, targetsOf } from "./publication.ts";

export interface PublisherOptions {
  database: Database;
  endpoints: EndpointStore;
  ports: PortAllocator;
  find(networkId: string): ConnectableNetwork | undefined;
  /** False: no packet filter, so nothing can be published. */
  canPublish: boolean;
}

/** Ids of the networks that a container's ports lead to, by version. */
export type Leads = Partial<Record<Family, string>>;
type Kept = ReadonlyMap<PortGroup, PublishedPort[]>;

export class Publisher {
  private readonly options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.options = options;
  }

  /** The new endpoint with what it publishes, host ports taken. To be called in a transaction. Throws dockerd's errors. */
  reserve(endpoint: EndpointRecord, request: SandboxRequest, leads: Leads): EndpointRecord {
    return this.assign(endpoint, this.plan(endpoint, request, leads), new Map());
  }

  /** What the endpoint publishes is closed in the packet filter. Idempotent. */
  async unpublish(endpoint: EndpointRecord): Promise<void> {
    await this.options.find(endpoint.networkId)?.unpublish(targetsOf(endpoint));
  }

  /**
   * What a running container publishes becomes what the request and `leads` say. Ports that stay as they are are not touched; those of
   * `gone`, an endpoint that it has no more, go to others. Throws dockerd's errors; all is as it was before, then.
   */
  async settle(request: SandboxRequest, leads: Leads, gone?: EndpointRecord): Promise<void> {
    const { endpoints, ports, database } = this.options;
    const before = endpoints.listByContainer(request.containerId);
    const held = [...(gone ? [gone] : []), ...before].flatMap(targetsOf).filter(({ hostPort }) => hostPort !== 0);
    const plans = before.map((endpoint) => ({ endpoint, plan: this.plan(endpoint, request, leads) }));
    const kept = matchPorts(
      plans.flatMap(({ plan }) => plan.groups),
      held,
    );
    const stay = [...kept.values()].flat();
    const leave = held.filter((port) => !stay.some((other) => isSamePort(port, other)));
    const after = database.transaction(() => {
      ports.release(request.containerId, leave);
      try {
        const assigned = plans.map(({ endpoint, plan }) => this.assign(endpoint, plan, kept));
        for (const endpoint of assigned) endpoints.save(endpoint);
        return assigned;
      } catch (error) {
        ports.retake(request.containerId, leave);
        throw error;
      }
    });
    await this.apply(before, after);
  }

  private plan(endpoint: EndpointRecord, request: SandboxRequest, leads: Leads) {
    const { exposed, requests } = parsePortBindings(request.config, request.hostConfig);
    if (requests.length > 0 && !this.options.canPublish) {
      throw internal("published ports need the packet filter, and the daemon runs with iptables=false");
    }
    const publication = this.options.find(endpoint.networkId)?.publication;
    const families = publication?.families.filter((family) => leads[family] === endpoint.networkId) ?? [];
    const place = { bindAddress: "", modes: {}, loopback6: true, ...publication, families };
    return { exposed: publication ? exposed : [], families, ...planPublication(requests, place) };
  }

  private assign(
    endpoint: EndpointRecord,
    { exposed, families, groups, entries }: ReturnType<Publisher["plan"]>,
    kept: Kept,
  ): EndpointRecord {
    const missing = groups.filter((group) => !kept.has(group));
    const allocated = this.allocate(endpoint, missing);
    const published = entries.flatMap((entry) =>
      "hostIps" in entry ? (kept.get(entry) ?? allocated.get(entry) ?? []) : [entry],
    );
    return { ...endpoint, publishes: families, ports: toPortMap(exposed, published) };
  }

  private allocate(endpoint: EndpointRecord, groups: PortGroup[]): Map<PortGroup, PublishedPort[]> {
    const { containerId, containerName, endpointId, ip, ip6 = "" } = endpoint;
    try {
      return this.options.ports.allocate(containerId, ip || ip6, groups);
    } catch (cause) {
      const where = `driver failed programming external connectivity on endpoint ${containerName} (${endpointId})`;
      throw internal(`${where}: ${errorMessage(cause)}`, { cause });
    }
  }

  /** The packet filter follows: what is gone first, for its port may lead elsewhere now. */
  private async apply(before: readonly EndpointRecord[], after: readonly EndpointRecord[]): Promise<void> {
    const all = (endpoints: readonly EndpointRecord[]) =>
      endpoints.flatMap((endpoint) => targetsOf(endpoint).map((target) => ({ network: endpoint.networkId, target })));
    const [old, now] = [all(before), all(after)];
    const key = (entry: object) => JSON.stringify(entry);
    const [oldKeys, newKeys] = [new Set(old.map(key)), new Set(now.map(key))];
    for (const network of new Set([...before, ...after].map(({ networkId }) => networkId))) {
      const gone = old.filter((entry) => entry.network === network && !newKeys.has(key(entry)));
      await this.options.find(network)?.unpublish(gone.map(({ target }) => target));
    }
    for (const network of new Set(after.map(({ networkId }) => networkId))) {
      const added = now.filter((entry) => entry.network === network && !oldKeys.has(key(entry)));
      await this.options.find(network)?.publishPorts(added.map(({ target }) => target));
    }
  }
}
