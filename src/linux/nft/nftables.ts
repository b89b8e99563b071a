/**
 * nftables: rulesets by the `nft` program (set-up only), map elements and questions by nfnetlink without any process (the hot path).
 * Transactions are atomic: all elements or none.
 */
import { spawnSync } from "node:child_process";
import { internal } from "../../base/errors.ts";
import {
  attribute,
  messageFlags,
  type NetlinkRequest,
  NetlinkSocket,
  nestedAttribute,
  netlinkNetfilter,
  parseAttributes,
  textAttribute,
} from "../network/netlink.ts";
import { type NftFamily, nftRequest, nftTransact } from "./nfnetlink.ts";

const types = { getTable: 1, getChain: 4, newElement: 12, deleteElement: 14, getGeneration: 16 };
/** NFT_DROP, a chain's policy and a verdict. */
const verdictDrop = 0;

/** One entry of a map (or set, without `value`). Bytes as nft lays them out: each field of a concatenation padded to four. */
export interface MapElement {
  map: string;
  key: Uint8Array;
  value?: Uint8Array;
}

/** Applies a ruleset with `nft -f -`, atomically. Blocks for some 10 ms. Throws `internal` with nft's own words. */
export function applyRuleset(ruleset: string): void {
  const { status, stderr, error } = spawnSync("nft", ["-f", "-"], { input: ruleset, encoding: "utf8" });
  if (error) throw internal(`nft cannot be run: ${error.message}`, { cause: error });
  if (status !== 0) throw internal(`nft: ${stderr.trim()}`);
}

/** Our own tables are of family `inet`. */
export class NftablesSocket implements Disposable {
  private readonly socket = new NetlinkSocket(netlinkNetfilter);

  /** Throws EEXIST when a key is there with another value, ENOENT when the table is missing; then nothing was added. */
  addElements(table: string, elements: MapElement[]): void {
    this.transact(elementRequests(types.newElement, messageFlags.create, table, elements));
  }

  /** Idempotent: what is not there (any more) is passed over. Values are ignored. Returns the number of transactions made. */
  deleteElements(table: string, elements: MapElement[]): number {
    if (elements.length === 0) return 0;
    const keys = elements.map(({ map, key }) => ({ map, key }));
    const requests = elementRequests(types.deleteElement, 0, table, keys);
    try {
      this.transact(requests);
      return 1;
    } catch (error) {
      if (!isMissing(error)) throw error;
      if (elements.length === 1) return 0;
      return elements.reduce((count, element) => count + this.deleteElements(table, [element]), 0);
    }
  }

  /** A number that any change of any table raises: compare it to learn cheaply whether somebody changed something. */
  generation(): number {
    const [answer] = this.socket.query(nftRequest("inet", types.getGeneration, 0), "get generation");
    return answer ? (parseAttributes(answer.body.subarray(4)).get(1)?.readUInt32BE(0) ?? 0) : 0;
  }

  hasTable(table: string, family: NftFamily = "inet"): boolean {
    return this.find(family, types.getTable, textAttribute(1, table)) !== undefined;
  }

  /** undefined: no such chain. Chains without a hook have no policy. */
  findChain(family: NftFamily, table: string, chain: string): { dropsByDefault: boolean } | undefined {
    const attributes = this.find(family, types.getChain, textAttribute(1, table), textAttribute(3, chain));
    return attributes && { dropsByDefault: attributes.get(5)?.readUInt32BE(0) === verdictDrop };
  }

  [Symbol.dispose](): void {
    this.socket[Symbol.dispose]();
  }

  private find(family: NftFamily, type: number, ...attributes: Buffer[]): Map<number, Buffer> | undefined {
    try {
      const [answer] = this.socket.query(nftRequest(family, type, 0, ...attributes), "nftables query");
      return answer && parseAttributes(answer.body.subarray(4));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  private transact(requests: NetlinkRequest[]): void {
    if (requests.length === 0) return;
    nftTransact(this.socket, requests, "nftables elements");
  }
}

/** An attribute holds 64 KiB, and the kernel answers each request: few requests, or its answers do not fit the socket. */
const mostPerRequest = 500;

function elementRequests(
  type: number,
  flags: number,
  table: string,
  elements: readonly MapElement[],
): NetlinkRequest[] {
  return [...Map.groupBy(elements, ({ map }) => map)].flatMap(([map, own]) =>
    Array.from({ length: Math.ceil(own.length / mostPerRequest) }, (_, index) => {
      const part = own.slice(index * mostPerRequest, (index + 1) * mostPerRequest).map(elementAttribute);
      return nftRequest(
        "inet",
        type,
        flags,
        textAttribute(1, table),
        textAttribute(2, map),
        nestedAttribute(3, ...part),
      );
    }),
  );
}

function elementAttribute({ key, value }: MapElement): Buffer {
  const data = (bytes: Uint8Array) => attribute(1, bytes);
  return nestedAttribute(1, nestedAttribute(1, data(key)), ...(value ? [nestedAttribute(2, data(value))] : []));
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
