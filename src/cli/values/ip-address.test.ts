import { expect, test } from "bun:test";
import { canonicalIpv6, ipVersion } from "./ip-address.ts";

test.each([
  ["1.2.3.4", 4],
  ["255.255.255.255", 4],
  ["256.1.1.1", 0],
  ["1.2.3", 0],
  ["01.2.3.4", 0],
  ["::", 6],
  ["::1", 6],
  ["fd00::1:2", 6],
  ["::ffff:1.2.3.4", 6],
  ["1::2::3", 0],
  ["fe80::1%eth0", 0],
  ["12345::", 0],
  ["host", 0],
  ["", 0],
] as const)("%p is version %p", (text, version) => {
  expect(ipVersion(text)).toBe(version);
});

test("the shortest form", () => {
  expect(canonicalIpv6("0:0:0:0::0001")).toBe("::1");
});
