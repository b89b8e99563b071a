import { expect, test } from "bun:test";
import {
  addressBytes,
  addressNumber,
  bytesText,
  findFamily,
  isIpv4,
  macBytes,
  macOf,
  numberText,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixSize,
  prefixText,
} from "./inet.ts";

test("addresses are read strictly and written back", () => {
  for (const text of ["1.2.3.4", "255.255.255.255", "0.0.0.0"]) expect(numberText(4, addressNumber(text))).toBe(text);
  for (const wrong of ["1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.5", "", "::1"]) expect(isIpv4(wrong)).toBe(false);
  for (const wrong of ["::1%lo", "1::2::3", ":::", "g::", "fd00", "1:2:3:4:5:6:7:8:9"])
    expect(findFamily(wrong)).toBeUndefined();
  expect(() => addressBytes("1.2.3.400")).toThrow("invalid IP address: 1.2.3.400");
});

test.each([
  ["::", "::"],
  ["::1", "::1"],
  ["FD00:0:0:1::", "fd00:0:0:1::"],
  ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
  ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
  ["10:0:0:0:0:0:0:0", "10::"],
  ["0:0:1:0:0:2:3:4", "::1:0:0:2:3:4"],
  ["::ffff:1.2.3.4", "::ffff:102:304"],
  ["64:ff9b::10.1.0.255", "64:ff9b::a01:ff"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
])("%s of version 6 is written %s", (text, canonical) => {
  expect(bytesText(addressBytes(text))).toBe(canonical);
  expect(numberText(6, addressNumber(text))).toBe(canonical);
});

test("prefixes lose their host bits and know what they overlap", () => {
  expect(prefixText(parsePrefix("172.17.5.1/16"))).toBe("172.17.0.0/16");
  expect(prefixText(parsePrefix("224.0.0.1/0"))).toBe("0.0.0.0/0");
  expect(prefixText(parsePrefix("fd00:1:2:3:4::1/64"))).toBe("fd00:1:2:3::/64");
  expect(prefixSize(parsePrefix("fd00::/64"))).toBe(2n ** 64n);
  const overlap = (a: string, b: string) => prefixesOverlap(parsePrefix(a), parsePrefix(b));
  expect(overlap("172.16.0.0/12", "172.31.9.0/24")).toBe(true);
  expect(overlap("172.31.9.0/24", "172.16.0.0/12")).toBe(true);
  expect(overlap("172.17.0.0/16", "172.18.0.0/16")).toBe(false);
  expect(overlap("fd00::/16", "fd00:1::/64")).toBe(true);
  expect(overlap("0.0.0.0/0", "::/0")).toBe(false);
  expect(prefixContains(parsePrefix("fd00:1::/64"), "fd00:1::9")).toBe(true);
  expect(prefixContains(parsePrefix("::/0"), "10.0.0.1")).toBe(false);
  for (const wrong of ["1.2.3.4", "1.2.3.4/33", "fd00::/129", "x/8", "1.2.3.4/8/8"]) {
    expect(() => parsePrefix(wrong)).toThrow(`invalid CIDR address: ${wrong}`);
  }
});

test("a container's MAC derives from its address", () => {
  expect(macOf("172.17.0.2")).toBe("02:42:ac:11:00:02");
  expect(macOf("fd00::2")).toMatch(/^02:42(:[\da-f]{2}){4}$/);
  expect(macOf("fd00::2")).not.toBe(macOf("fd00::3"));
  expect(macOf("fd00:0::2")).toBe(macOf("fd00::2"));
  expect(macBytes("02-42-AC-11-00-02").toString("hex")).toBe("0242ac110002");
  expect(() => macBytes("zz")).toThrow("invalid MAC address zz");
});
