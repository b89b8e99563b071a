/**
 * A macvlan or ipvlan network in the kernel: each container has an interface over the same parent, by which it stands on the parent's
 * own network. Nothing is translated, filtered or published.
 */

import { join } from "node:path";
import { errorMessage } from "../../../base/errors.ts";
import type { Family } from "../../../linux/inet.ts";
import type { Announcements } from "../../../linux/network/announcement.ts";
import type { NetworkThread } from "../../../linux/network/network-thread.ts";
import type { ParentRequest } from "../../../linux/network/parent-link.ts";
import type { DefaultRoute } from "../../../linux/network/rtnetlink-addresses.ts";
import { type SandboxAddress, standardPrefix } from "../../../linux/network/sandbox-link.ts";
import type { PreparedSandbox } from "../endpoints/sandbox-pool.ts";
import type { NetworkRecord } from "../network-store.ts";
import { announcementsOf } from "../settings/announcements.ts";
import { newSandboxId, sandboxFile } from "../settings/network-names.ts";
import { bridgeOptions } from "../settings/network-options.ts";
import type { ConnectableNetwork, SandboxPlace } from "./connectable-network.ts";
import { checkVlan, type ParentSettings, parentSettings } from "./parent-options.ts";

export interface ParentNetworkOptions {
  record: NetworkRecord;
  /** Alias of what is made; says whose it is. */
  owner: string;
  /** Where namespaces get their names. */
  directory: string;
  thread: NetworkThread;
  /** For what blocks: deletions. */
  reaper: NetworkThread;
}

export class ParentNetwork implements ConnectableNetwork {
  readonly interfacePrefix = standardPrefix;
  readonly announcements: Announcements;
  readonly hasHostEnds = false;
  readonly publication = undefined;
  private readonly options: ParentNetworkOptions;
  private readonly settings: ParentSettings;

  constructor(options: ParentNetworkOptions) {
    this.options = options;
    this.settings = parentSettings(options.record);
    this.announcements = announcementsOf(options.record.options);
  }

  /** The parent is there when this resolves. Idempotent. Throws dockerd's errors. */
  async open(): Promise<void> {
    const { thread } = this.options;
    const { parent: name, isDummy } = this.settings;
    const isThere = (await thread.call("listLinks")).some((link) => link.name === name);
    const make = isDummy ? { kind: "dummy" as const } : isThere ? undefined : this.vlan();
    await thread.call("openParent", { name, owner: this.options.owner, make });
  }

  /** The parent goes if it was made here. Idempotent. */
  async remove(): Promise<void> {
    const { parent: name } = this.settings;
    await this.options.reaper.call("removeParent", { name, owner: this.options.owner });
  }

  routeOf(family: Family, gateway: string): DefaultRoute | undefined {
    const { record } = this.options;
    if (record.internal || this.settings.isDummy) return undefined;
    // On layer 3 the parent routes, and there is no neighbour to send to.
    if (record.driver === "ipvlan" && this.settings.mode !== "l2") return { family, via: "" };
    return gateway === "" ? undefined : { family, via: gateway };
  }

  async takeSandbox(): Promise<PreparedSandbox> {
    const { directory, thread } = this.options;
    const id = newSandboxId();
    const sandbox = { id, path: join(directory, sandboxFile(id)), veth: "" };
    await thread.call("createEmptySandbox", sandbox.path);
    return sandbox;
  }

  async giveBack(sandbox: PreparedSandbox, destroy: (sandbox: PreparedSandbox) => void): Promise<void> {
    destroy(sandbox);
  }

  attach(place: SandboxPlace, address: SandboxAddress): Promise<void> {
    return this.plug(place, address);
  }

  plug(_place: SandboxPlace, address: SandboxAddress): Promise<void> {
    const { record, thread } = this.options;
    const { parent, mode, flag } = this.settings;
    const kind = record.driver === "macvlan" ? "macvlan" : "ipvlan";
    // An ipvlan interface has its parent's.
    const mac = kind === "macvlan" && mode !== "passthru" ? address.mac : "";
    const mtu = Number(record.options[bridgeOptions.mtu]) || 0;
    return whenFree(() => thread.call("plugChild", { ...address, mac, kind, parent, mode, flag, mtu }));
  }

  unplug({ path }: SandboxPlace, { ips }: { ips: string[] }): Promise<void> {
    return this.options.reaper.call("unplugChild", path, ips);
  }

  async publishPorts(): Promise<void> {}

  async unpublish(): Promise<void> {}

  private vlan(): ParentRequest["make"] {
    return { kind: "vlan", ...checkVlan(this.settings) };
  }
}

/** How long the interface of a namespace that is gone may still have its hardware address. */
const lingerMillis = 3000;

/** The kernel takes namespaces down in its own time: a container that is started again wants the same hardware address on the parent. */
async function whenFree(plug: () => Promise<void>): Promise<void> {
  for (const until = Date.now() + lingerMillis; ; ) {
    try {
      await plug();
      return;
    } catch (error) {
      if (!errorMessage(error).endsWith("EADDRINUSE") || Date.now() > until) throw error;
      await Bun.sleep(20);
    }
  }
}
