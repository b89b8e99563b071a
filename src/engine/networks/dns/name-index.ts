/** The names of one network: who has which address. Built from its endpoints, then only read. */
import { addressesOf } from "../addresses/network-pools.ts";
import type { EndpointRecord } from "../network-store.ts";

export class NameIndex {
  readonly networkName: string;
  private readonly addresses = new Map<string, string[]>();
  private readonly names = new Map<string, string>();

  constructor(networkName: string, endpoints: readonly EndpointRecord[]) {
    this.networkName = networkName.toLowerCase();
    for (const endpoint of endpoints) {
      const { dnsNames, containerName, containerId } = endpoint;
      const own = addressesOf(endpoint).map(({ ip }) => ip);
      for (const ip of own) this.names.set(ip, `${containerName}.${networkName}`);
      if (own.length === 0) continue;
      for (const name of new Set([...(dnsNames ?? []), containerId].map((entry) => entry.toLowerCase()))) {
        const known = this.addresses.get(name);
        if (known) known.push(...own);
        else this.addresses.set(name, [...own]);
      }
    }
  }

  /** Addresses (of both versions) of a name in lower case, which may end in the network's name; empty: unknown here. */
  find(name: string): readonly string[] {
    const own = this.addresses.get(name);
    if (own) return own;
    const suffix = `.${this.networkName}`;
    return name.endsWith(suffix) ? (this.addresses.get(name.slice(0, -suffix.length)) ?? []) : [];
  }

  /** `container.network` of an address. */
  reverse(ip: string): string | undefined {
    return this.names.get(ip);
  }
}
