/** Which addresses of a network are free, and when those will be whose last user's interface is still going. */
import { invalidArgument } from "../../../base/errors.ts";
import { asOneText, type Family, parsePrefix, prefixContains } from "../../../linux/inet.ts";
import type { Wanted } from "../endpoints/connections.ts";
import { endpointProblems } from "../endpoints/endpoint-problems.ts";
import type { EndpointRecord, EndpointStore, IpamRecord } from "../network-store.ts";
import { joinProblems } from "../problems.ts";
import { lowestFreeAddress, requestedAddress } from "./addresses.ts";
import { addressesOf, families, gatewayOf, poolsOf, prefixLengthOf, speaks } from "./network-pools.ts";

/** An endpoint's addresses, as its row has them. */
export type Addresses = Pick<EndpointRecord, "ip" | "prefix" | "gateway" | "ip6" | "prefix6" | "gateway6">;

export class AddressBook {
  private readonly endpoints: EndpointStore;
  /** Addresses (with their network's id) whose last user's interface still exists: not given out until it is gone. */
  private readonly leaving = new Map<string, { containerId: string; done: Promise<void> }>();

  constructor(endpoints: EndpointStore) {
    this.endpoints = endpoints;
  }

  /** One address of each version that the network and the container speak. Throws dockerd's errors. */
  choose(wanted: Wanted, spoken: readonly Family[]): Addresses {
    const { IPv4Address, IPv6Address } = wanted.settings.IPAMConfig ?? {};
    const problems = IPv4Address || IPv6Address ? endpointProblems(wanted.network, wanted.settings) : [];
    if (problems.length > 0) {
      const list = joinProblems(problems);
      throw invalidArgument(`invalid config for network ${wanted.network.name}: invalid endpoint settings:\n${list}`);
    }
    const common = spoken.filter((family) => speaks(wanted.network, family));
    // One that speaks none of the network's has an address all the same, as long as it does not look at it.
    const chosen = common.length > 0 ? common : families;
    const [four, six] = families.map((family) =>
      chosen.includes(family) ? this.chooseOne(wanted, family) : undefined,
    );
    return {
      ...(four ?? { ip: "", prefix: 0, gateway: "" }),
      ...(six ? { ip6: six.ip, prefix6: six.prefix, gateway6: six.gateway } : {}),
    };
  }

  /** A restart gets the addresses that its own former interface still has, when that is gone: they are what others know it by. */
  async untilFree(wanted: Wanted, containerId: string, spoken: readonly Family[]): Promise<void> {
    const former = [...this.leaving].filter(([key, leaver]) => {
      return leaver.containerId === containerId && key.startsWith(`${wanted.network.id}/`);
    });
    await Promise.all(former.map(([, { done }]) => done));
    for (;;) {
      const going = this.leavingFrom(wanted.network.id);
      if (going.size === 0) return;
      try {
        this.choose(wanted, spoken);
        return;
      } catch {
        await Promise.race(going.values());
      }
    }
  }

  /** The endpoint's addresses are given out again when `done` resolves. */
  leave(endpoint: EndpointRecord, done: Promise<void>): void {
    for (const { ip } of addressesOf(endpoint)) {
      const key = `${endpoint.networkId}/${ip}`;
      this.leaving.set(key, { containerId: endpoint.containerId, done });
      void done.finally(() => {
        if (this.leaving.get(key)?.done === done) this.leaving.delete(key);
      });
    }
  }

  private chooseOne(wanted: Wanted, family: Family): { ip: string; prefix: number; gateway: string } | undefined {
    const pools = poolsOf(wanted.network, family);
    let failure: unknown;
    for (const pool of pools) {
      try {
        const ip = this.chooseFrom(pool, wanted, family);
        if (ip !== undefined) {
          return { ip, prefix: prefixLengthOf(pool), gateway: gatewayOf(wanted.network, pool, family) };
        }
      } catch (error) {
        failure = error;
      }
    }
    if (failure !== undefined) throw failure;
    return undefined;
  }

  /** undefined: the user asks for an address of another pool. */
  private chooseFrom(pool: IpamRecord, { network, settings }: Wanted, family: Family): string | undefined {
    const { IPv4Address, IPv6Address } = settings.IPAMConfig ?? {};
    const asked = family === 4 ? IPv4Address : IPv6Address;
    const { subnet, gateway, auxiliary, ipRange } = pool;
    if (asked && !prefixContains(parsePrefix(subnet), asked)) return undefined;
    const reserved = [gateway, ...Object.values(auxiliary ?? {})].filter((address) => address !== "").map(asOneText);
    const taken = this.endpoints
      .listAddresses(network.id)
      .union(new Set([...reserved, ...this.leavingFrom(network.id).keys()]));
    if (asked) return requestedAddress(subnet, taken, asked);
    return lowestFreeAddress(subnet, taken, `${network.name} (${network.id})`, ipRange ?? subnet);
  }

  /** What is leaving the network, by address. */
  private leavingFrom(networkId: string): Map<string, Promise<void>> {
    const prefix = `${networkId}/`;
    const own = [...this.leaving].filter(([key]) => key.startsWith(prefix));
    return new Map(own.map(([key, { done }]) => [key.slice(prefix.length), done]));
  }
}
