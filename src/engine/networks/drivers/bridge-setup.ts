/** Decides the default bridge's subnets, remembers them, and makes the bridge; settles with other daemons that chose the same range. */
import { internal } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import { type Family, parsePrefix, prefixesOverlap, prefixOf, prefixText } from "../../../linux/inet.ts";
import type { NetworkThread } from "../../../linux/network/network-thread.ts";
import { families, poolsOf, speaks } from "../addresses/network-pools.ts";
import {
  type AddressPool,
  chosenPools,
  dockerPools,
  electSubnet,
  subnetOf,
  subnetOfBip,
  usedPrefixes,
} from "../addresses/subnets.ts";
import { readHostNameservers } from "../files/network-files.ts";
import type { IpamRecord, NetworkRecord, NetworkStore } from "../network-store.ts";
import type { ResolvedNetworkConfig } from "../settings/network-config.ts";
import { BridgeNetwork, type BridgeOptions } from "./bridge-network.ts";

export interface BridgeSetup {
  options: Omit<BridgeOptions, "adopted" | "record">;
  config: ResolvedNetworkConfig;
  /** Where a subnet of version 6 is from unless the configuration has some. */
  localPools: readonly AddressPool[];
  store: NetworkStore;
  record: NetworkRecord;
  /** True: running containers have addresses of the recorded subnets, which therefore stay whatever else is on the host. */
  inUse: boolean;
  thread: NetworkThread;
  reaper: NetworkThread;
  logger: Logger;
}

/** Makes (or finds) the bridge; the record then holds its subnets. */
export async function openBridge(setup: BridgeSetup): Promise<BridgeNetwork> {
  const { options, config, store, record, thread, reaper, logger } = setup;
  const { names, settings } = options;
  const existing = (await thread.call("listLinks")).find(({ name }) => name === settings.name);
  const adopted = config.bridge !== undefined && existing !== undefined && existing.alias !== names.owner;
  for (let attempt = 0; attempt < 10; attempt++) {
    record.ipam = await chooseSubnets(setup, adopted);
    store.save(record);
    const bridge = new BridgeNetwork({ ...options, record, adopted }, thread, reaper, logger);
    const index = await bridge.open();
    if (setup.inUse || adopted || !(await mustGiveWay(setup, index))) return bridge;
    record.ipam = [];
  }
  throw internal(`no free address range for bridge ${settings.name}: other daemons keep taking the chosen one`);
}

async function chooseSubnets(setup: BridgeSetup, adopted: boolean): Promise<IpamRecord[]> {
  const { record } = setup;
  const chosen: IpamRecord[] = [];
  for (const family of families) {
    if (speaks(record, family)) chosen.push(await chooseSubnet(setup, family, adopted));
  }
  return chosen;
}

async function chooseSubnet(setup: BridgeSetup, family: Family, adopted: boolean): Promise<IpamRecord> {
  const { options, record, inUse, thread, config, localPools } = setup;
  const bridge = options.settings.name;
  const [recorded] = poolsOf(record, family);
  if (inUse && recorded) return recorded;
  const { bip, range } = wishesOf(config, family);
  const within = range ? { ipRange: prefixText(parsePrefix(range)) } : {};
  if (bip) return { ...subnetOfBip(bip), ...within };
  if (adopted) {
    const isOwn = (ip: string) => !ip.startsWith("fe80") && prefixOf(ip, 0).family === family;
    const own = (await thread.call("listAddresses")).find(({ linkName, ip }) => linkName === bridge && isOwn(ip));
    if (own) return { ...subnetOfBip(`${own.ip}/${own.prefix}`), ...within };
  }
  if (range) return { ...subnetOf(parsePrefix(range)), gatewayElected: true, ...within };
  const used = usedPrefixes(await thread.call("listRoutes"), readHostNameservers(), bridge);
  if (recorded && !used.some((prefix) => prefixesOverlap(prefix, parsePrefix(recorded.subnet)))) return recorded;
  return electSubnet(used, chosenPools(family, config.defaultAddressPools, family === 4 ? dockerPools : localPools));
}

/** What the configuration says: the bridge's own address, and where containers' are from. */
function wishesOf(
  config: ResolvedNetworkConfig,
  family: Family,
): { bip: string | undefined; range: string | undefined } {
  return family === 4 ? { bip: config.bip, range: config.fixedCidr } : { bip: config.bip6, range: config.fixedCidrV6 };
}

/** Two daemons started at once may choose the same range; the one whose bridge is younger looks for another. */
async function mustGiveWay({ record, config, thread }: BridgeSetup, index: number): Promise<boolean> {
  const elected = families
    .filter((family) => !Object.values(wishesOf(config, family)).some((wish) => wish))
    .flatMap((family) => poolsOf(record, family))
    .map(({ subnet }) => parsePrefix(subnet));
  return (await thread.call("listRoutes")).some(({ destination, prefix, link }) => {
    if (prefix === 0 || link >= index) return false;
    return elected.some((own) => prefixesOverlap(own, prefixOf(destination, prefix)));
  });
}
