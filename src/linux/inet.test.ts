import { expect, test } from "bun:test";
import {
  ipv4Bytes,
  ipv4Number,
  ipv4Text,
  isIpv4,
  macBytes,
  macOfIpv4,
  parsePrefix,
  prefixesOverlap,
  prefixText,
} from "./inet.ts";

test("addresses are read strictly and written back", () => {
  expect([..."1.2.3.4,255.255.255.255,0.0.0.0".split(",")].map((text) => ipv4Text(ipv4Number(text)))).toEqual([
    "1.2.3.4",
    "255.255.255.255",
    "0.0.0.0",
  ]);
  for (const wrong of ["1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.5", "", "::1"]) expect(isIpv4(wrong)).toBe(false);
  expect(() => ipv4Bytes("1.2.3.400")).toThrow("invalid IP address: 1.2.3.400");
});

test("prefixes lose their host bits and know what they overlap", () => {
  expect(prefixText(parsePrefix("172.17.5.1/16"))).toBe("172.17.0.0/16");
  expect(prefixText(parsePrefix("224.0.0.1/0"))).toBe("0.0.0.0/0");
  const overlap = (a: string, b: string) => prefixesOverlap(parsePrefix(a), parsePrefix(b));
  expect(overlap("172.16.0.0/12", "172.31.9.0/24")).toBe(true);
  expect(overlap("172.31.9.0/24", "172.16.0.0/12")).toBe(true);
  expect(overlap("172.17.0.0/16", "172.18.0.0/16")).toBe(false);
  expect(() => parsePrefix("1.2.3.4")).toThrow("invalid CIDR address: 1.2.3.4");
});

test("a container's MAC derives from its address", () => {
  expect(macOfIpv4("172.17.0.2")).toBe("02:42:ac:11:00:02");
  expect(macBytes("02-42-AC-11-00-02").toString("hex")).toBe("0242ac110002");
  expect(() => macBytes("zz")).toThrow("invalid MAC address zz");
});
