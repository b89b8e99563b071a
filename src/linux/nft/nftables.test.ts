import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNetns, removeNetns, withNetns } from "../network/netns.ts";
import { applyRuleset, NftablesSocket } from "./nftables.ts";

let directory: string;
let path: string;
let nft: NftablesSocket;
const inside = (...argv: string[]) => Bun.spawnSync(["nsenter", `--net=${path}`, ...argv]).stdout.toString();
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "gantry-nftables-"));
  path = join(directory, "a");
  nft = createNetns(path, () => new NftablesSocket());
  withNetns(path, () =>
    applyRuleset(`table inet t {
      map m { type inet_proto . inet_service : ipv4_addr . inet_service; }
      chain c { type filter hook forward priority 0; policy drop; }
      chain d { }
    }`),
  );
});
afterAll(() => {
  nft[Symbol.dispose]();
  removeNetns(path);
  rmSync(directory, { recursive: true });
});

const element = (port: number, host: number) => ({
  map: "m",
  key: Buffer.from([6, 0, 0, 0, port >> 8, port & 255, 0, 0]),
  value: Buffer.from([10, 0, 0, host, 0, 80, 0, 0]),
});

test("elements are added all or none, and deleted whether there or not", () => {
  nft.addElements("t", [element(8080, 2), element(8081, 2)]);
  expect(inside("nft", "list", "map", "inet", "t", "m")).toMatch(
    /tcp \. 8080 : 10\.0\.0\.2 \. 80,\s+tcp \. 8081 : 10\.0\.0\.2 \. 80/,
  );
  expect(() => nft.addElements("t", [element(8082, 3), element(8080, 3)])).toThrow("EEXIST");
  expect(inside("nft", "list", "map", "inet", "t", "m")).not.toContain("8082");
  expect(nft.deleteElements("t", [element(8080, 2), element(9999, 2)])).toBe(1);
  expect(nft.deleteElements("t", [element(8081, 2)])).toBe(1);
  expect(nft.deleteElements("t", [element(8081, 2)])).toBe(0);
  expect(inside("nft", "list", "map", "inet", "t", "m")).not.toContain("elements");
});

test("every change raises the generation by one", () => {
  const before = nft.generation();
  nft.addElements("t", [element(1, 1)]);
  nft.deleteElements("t", [element(1, 1)]);
  expect(nft.generation()).toBe(before + 2);
});

test("tables and chains are found with their policy", () => {
  expect([nft.hasTable("t"), nft.hasTable("u")]).toEqual([true, false]);
  expect(nft.findChain("inet", "t", "c")).toEqual({ dropsByDefault: true });
  expect(nft.findChain("inet", "t", "d")).toEqual({ dropsByDefault: false });
  expect(nft.findChain("inet", "t", "e")).toBeUndefined();
  expect(nft.findChain("inet", "u", "c")).toBeUndefined();
});

test("a wrong ruleset is refused with nft's words", () => {
  expect(() => withNetns(path, () => applyRuleset("table ip {"))).toThrow(/^nft: .*syntax error/s);
});
