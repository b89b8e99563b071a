import { expect, test } from "bun:test";
import { ipamPools } from "./ipam.ts";

const none = { subnets: [], ranges: [], gateways: [], auxiliary: {} };

test("ranges, gateways and auxiliary addresses go to the subnet that holds them", () => {
  expect(
    ipamPools({
      subnets: ["10.1.0.0/16", "fd00:1::/64"],
      ranges: ["10.1.5.0/24"],
      gateways: ["fd00:1::1", "10.1.0.1"],
      auxiliary: { router: "10.1.0.9" },
    }),
  ).toEqual([
    { Subnet: "10.1.0.0/16", IPRange: "10.1.5.0/24", Gateway: "10.1.0.1", AuxiliaryAddresses: { router: "10.1.0.9" } },
    { Subnet: "fd00:1::/64", Gateway: "fd00:1::1" },
  ]);
  expect(ipamPools(none)).toEqual([]);
});

test("what fits nowhere is refused in docker's words", () => {
  const message = (options: Partial<typeof none>) => () => ipamPools({ ...none, ...options } as typeof none);
  expect(message({ ranges: ["10.0.0.0/24"] as never[] })).toThrow(
    "every ip-range or gateway must have a corresponding subnet",
  );
  expect(message({ subnets: ["10.0.0.0/8"] as never[], gateways: ["11.0.0.1"] as never[] })).toThrow(
    "no matching subnet for gateway 11.0.0.1",
  );
  expect(message({ subnets: ["10.0.0.0/8", "10.1.0.0/16"] as never[] })).toThrow(
    "multiple overlapping subnet configuration is not supported",
  );
  expect(message({ subnets: ["foo"] as never[], gateways: ["10.0.0.1"] as never[] })).toThrow(
    "invalid CIDR address: foo",
  );
});
