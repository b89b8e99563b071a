/** Decides the default bridge's subnet, remembers it, and makes the bridge; settles with other daemons that chose the same range. */
import { internal } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { parsePrefix, prefixesOverlap } from "../../linux/inet.ts";
import type { NetworkThread } from "../../linux/network-thread.ts";
import { BridgeNetwork, type BridgeOptions } from "./bridge-network.ts";
import { readHostNameservers } from "./network-files.ts";
import type { NetworkRecord, NetworkStore } from "./network-store.ts";
import { dockerPools, electSubnet, type Subnet, subnetOfBip, usedPrefixes } from "./subnets.ts";

export interface BridgeSetup {
  options: Omit<BridgeOptions, "adopted" | "subnet">;
  store: NetworkStore;
  record: NetworkRecord;
  /** True: running containers have addresses of the recorded subnet, which therefore stays whatever else is on the host. */
  inUse: boolean;
  thread: NetworkThread;
  reaper: NetworkThread;
  logger: Logger;
}

/** Makes (or finds) the bridge; the record then holds its subnet. */
export async function openBridge(setup: BridgeSetup): Promise<BridgeNetwork> {
  const { options, store, record, thread, reaper, logger } = setup;
  const { names, config } = options;
  const existing = (await thread.call("listLinks")).find(({ name }) => name === names.bridge);
  const adopted = config.bridge !== undefined && existing !== undefined && existing.alias !== names.owner;
  for (let attempt = 0; attempt < 10; attempt++) {
    const subnet = await chooseSubnet(setup, adopted);
    record.ipam = [subnet];
    store.save(record);
    const bridge = new BridgeNetwork({ ...options, adopted, subnet }, thread, reaper, logger);
    const index = await bridge.open();
    if (config.bip || setup.inUse || adopted || !(await mustGiveWay(thread, subnet, index))) return bridge;
    record.ipam = [];
  }
  throw internal(`no free address range for bridge ${names.bridge}: other daemons keep taking the chosen one`);
}

async function chooseSubnet({ options, record, inUse, thread }: BridgeSetup, adopted: boolean): Promise<Subnet> {
  const { names, config } = options;
  const recorded = record.ipam[0];
  if (inUse && recorded) return recorded;
  if (config.bip) return subnetOfBip(config.bip);
  if (adopted) {
    const addresses = await thread.call("listAddresses");
    const own = addresses.find(({ linkName }) => linkName === names.bridge);
    if (own) return subnetOfBip(`${own.address}/${own.prefix}`);
  }
  const used = usedPrefixes(await thread.call("listRoutes"), readHostNameservers(), names.bridge);
  if (recorded && !used.some((prefix) => prefixesOverlap(prefix, parsePrefix(recorded.subnet)))) return recorded;
  return electSubnet(used, config.defaultAddressPools ?? dockerPools);
}

/** Two daemons started at once may choose the same range; the one whose bridge is younger looks for another. */
async function mustGiveWay(thread: NetworkThread, { subnet }: Subnet, index: number): Promise<boolean> {
  const own = parsePrefix(subnet);
  return (await thread.call("listRoutes")).some(
    ({ destination, prefix, link }) =>
      prefix > 0 && link < index && prefixesOverlap(own, parsePrefix(`${destination}/${prefix}`)),
  );
}
