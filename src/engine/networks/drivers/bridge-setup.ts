/** Decides the default bridge's subnets, remembers them, and makes the bridge; settles with other daemons that chose the same range. */
import { forbidden, internal } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import { type Family, findFamily, parsePrefix, prefixesOverlap, prefixOf } from "../../../linux/inet.ts";
import type { NetworkThread } from "../../../linux/network/network-thread.ts";
import { type BridgeWishes, givenPool, withDefaultGateway } from "../addresses/bridge-pool.ts";
import { families, poolsOf, speaks } from "../addresses/network-pools.ts";
import { type AddressPool, chosenPools, dockerPools, electSubnet, usedPrefixes } from "../addresses/subnets.ts";
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
  if (config.bridge !== undefined && existing === undefined) {
    throw forbidden(`bridge device with non default name ${config.bridge} must be created manually`);
  }
  const adopted = config.bridge !== undefined && existing?.alias !== names.owner;
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
  const { record, config, inUse } = setup;
  const chosen: IpamRecord[] = [];
  for (const family of families) {
    if (!speaks(record, family)) continue;
    const [recorded] = poolsOf(record, family);
    const pool = inUse && recorded ? recorded : await chooseSubnet(setup, family, adopted, recorded);
    chosen.push(withDefaultGateway(pool, family, wishesOf(config, family).defaultGateway));
  }
  return chosen;
}

async function chooseSubnet(
  { options, thread, config, localPools, logger }: BridgeSetup,
  family: Family,
  adopted: boolean,
  recorded: IpamRecord | undefined,
): Promise<IpamRecord> {
  const bridge = options.settings.name;
  const wishes = wishesOf(config, family);
  const addresses = await thread.call("listAddresses");
  const present = addresses.filter(({ linkName, ip }) => linkName === bridge && findFamily(ip) === family);
  // Without wishes, the daemon's own bridge may have to give way to what is on the host by now.
  const isGiven = adopted || wishes.range !== undefined;
  const given = givenPool(family, wishes, { present: isGiven ? present : [], adopted });
  if (given?.ignoredRange) {
    const note = "fixed-cidr is outside any subnet implied by addresses on the user-managed default bridge";
    logger.warn(`${note}: it is ignored`, { bridge, fixedCidr: wishes.range, subnet: given.pool.subnet });
  }
  if (given) return given.pool;
  const used = usedPrefixes(await thread.call("listRoutes"), readHostNameservers(), bridge);
  if (recorded && !used.some((prefix) => prefixesOverlap(prefix, parsePrefix(recorded.subnet)))) return recorded;
  return electSubnet(used, chosenPools(family, config.defaultAddressPools, family === 4 ? dockerPools : localPools));
}

function wishesOf(config: ResolvedNetworkConfig, family: Family): BridgeWishes {
  const { bip, fixedCidr, defaultGateway, bip6, fixedCidrV6, defaultGatewayV6 } = config;
  if (family === 4) return { bip, range: fixedCidr, defaultGateway };
  return { bip: bip6, range: fixedCidrV6, defaultGateway: defaultGatewayV6 };
}

/** Two daemons started at once may choose the same range; the one whose bridge is younger looks for another. */
async function mustGiveWay({ record, config, thread }: BridgeSetup, index: number): Promise<boolean> {
  const elected = families
    .filter((family) => {
      const { bip, range } = wishesOf(config, family);
      return bip === undefined && range === undefined;
    })
    .flatMap((family) => poolsOf(record, family))
    .map(({ subnet }) => parsePrefix(subnet));
  return (await thread.call("listRoutes")).some(({ destination, prefix, link }) => {
    if (prefix === 0 || link >= index) return false;
    return elected.some((own) => prefixesOverlap(own, prefixOf(destination, prefix)));
  });
}
