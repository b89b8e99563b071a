/** The networks of this daemon's in the kernel, by network: each with its driver. */
import type { NetworkThread } from "../../../linux/network/network-thread.ts";
import type { NetworkRecord } from "../network-store.ts";
import type { Bridges } from "./bridges.ts";
import type { ConnectableNetwork } from "./connectable-network.ts";
import { ParentNetwork } from "./parent-network.ts";

export interface DriversOptions {
  bridges: Bridges;
  owner: string;
  directory: string;
  thread: NetworkThread;
  reaper: NetworkThread;
}

export class Drivers {
  private readonly options: DriversOptions;
  private readonly parents = new Map<string, ParentNetwork>();

  constructor(options: DriversOptions) {
    this.options = options;
  }

  find(networkId: string): ConnectableNetwork | undefined {
    return this.options.bridges.find(networkId) ?? this.parents.get(networkId);
  }

  /** A user's network. Idempotent. With `fresh`, nothing of it may be there yet, and when it throws, nothing of it stays. */
  async openUser(record: NetworkRecord, options: { fresh?: boolean } = {}): Promise<void> {
    if (record.driver === "bridge") {
      await this.options.bridges.openUser(record, options);
      return;
    }
    const { owner, directory, thread, reaper } = this.options;
    const network = new ParentNetwork({ record, owner, directory, thread, reaper });
    await network.open();
    this.parents.set(record.id, network);
  }

  /** Takes a network out of the kernel. Idempotent. */
  async remove(networkId: string): Promise<void> {
    const parent = this.parents.get(networkId);
    this.parents.delete(networkId);
    await parent?.remove();
    await this.options.bridges.remove(networkId);
  }

  /** At the daemon's end, when everything is to go. The bridges are closed by their owner. */
  async removeParents(): Promise<void> {
    for (const id of [...this.parents.keys()]) await this.remove(id);
  }
}
