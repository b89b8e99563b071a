import { expect, test } from "bun:test";
import { type BridgeWishes, givenPool, withDefaultGateway } from "./bridge-pool.ts";

const nothing: BridgeWishes = { bip: undefined, range: undefined, defaultGateway: undefined };
const range = (text: string): BridgeWishes => ({ ...nothing, range: text });

function addresses(...list: string[]) {
  return list.map((text) => {
    const [ip = "", prefix = ""] = text.split("/");
    return { ip, prefix: Number(prefix) };
  });
}

/** What is decided of a bridge of the administrator's with these addresses. */
const adopted = (wishes: BridgeWishes, ...list: string[]) =>
  givenPool(list[0]?.includes(":") || wishes.range?.includes(":") ? 6 : 4, wishes, {
    present: addresses(...list),
    adopted: true,
  });
const own = (wishes: BridgeWishes, ...list: string[]) =>
  givenPool(list[0]?.includes(":") ? 6 : 4, wishes, { present: addresses(...list), adopted: false });

test("an administrator's bridge: its address whose subnet has the range, else one in the range, else the first", () => {
  expect(own(nothing)).toBeUndefined();
  expect(adopted(nothing, "10.0.16.8/20", "10.1.0.1/16")?.pool).toEqual({
    subnet: "10.0.16.0/20",
    gateway: "10.0.16.8",
  });
  const three = ["10.0.0.8/20", "10.0.16.8/20", "10.0.32.8/20"];
  expect(adopted(range("10.0.17.0/24"), ...three)?.pool).toEqual({
    subnet: "10.0.16.0/20",
    gateway: "10.0.16.8",
    ipRange: "10.0.17.0/24",
  });
  expect(adopted(range("fd00:0:0:11::8888/64"), "fd00::8888/60", "fd00:0:0:10::8888/60")?.pool).toEqual({
    subnet: "fd00:0:0:10::/60",
    gateway: "fd00:0:0:10::8888",
    ipRange: "fd00:0:0:11::/64",
  });
  expect(adopted(range("10.9.0.0/16"), "10.0.0.1/24", "10.9.7.1/24")?.pool.gateway).toBe("10.9.7.1");
});

test("a range alone is the subnet, and its gateway is chosen", () => {
  const pool = { subnet: "10.0.7.0/24", gateway: "10.0.7.1", gatewayElected: true, ipRange: "10.0.7.0/24" };
  expect(adopted(range("10.0.7.0/24"))?.pool).toEqual(pool);
});

test("the kernel's link-local address counts only where the range is link-local", () => {
  expect(adopted(nothing, "fe80::42:1/64", "fd00::1/64")?.pool.gateway).toBe("fd00::1");
  expect(adopted(range("fe80::/64"), "fe80::42:1/64")?.pool).toEqual({
    subnet: "fe80::/64",
    gateway: "fe80::42:1",
    ipRange: "fe80::/64",
  });
  expect(adopted(range("fe80:1234::/64"), "fe80::42:1/64", "fe80:1234::88/56")?.pool.gateway).toBe("fe80:1234::88");
});

test("a range that no subnet of the administrator's bridge has: ignored, and of version 6 refused", () => {
  for (const outside of ["10.0.16.0/24", "10.0.0.0/20"]) {
    expect(adopted(range(outside), "10.0.0.88/24")).toEqual({
      pool: { subnet: "10.0.0.0/24", gateway: "10.0.0.88" },
      ignoredRange: true,
    });
  }
  for (const outside of ["fd00::/60", "fd00:0:0:10::/64"]) {
    expect(() => adopted(range(outside), "fd00::8888/64")).toThrow(
      `fixed-cidr-v6=${outside} is outside any subnet implied by addresses on the user-managed default bridge`,
    );
  }
});

test("the daemon's own bridge follows a range that has changed", () => {
  expect(own(range("10.0.1.0/24"), "10.0.0.88/20")?.pool).toEqual({
    subnet: "10.0.0.0/20",
    gateway: "10.0.0.88",
    ipRange: "10.0.1.0/24",
  });
  const wider = { subnet: "10.0.0.0/20", gateway: "10.0.0.88", ipRange: "10.0.0.0/20" };
  expect(own(range("10.0.0.0/20"), "10.0.0.88/24")?.pool).toEqual(wider);
  expect(own(range("10.0.1.0/24"), "10.0.0.88/24")?.pool).toMatchObject({ gateway: "10.0.1.1", gatewayElected: true });
  const wishes = { ...range("10.0.1.0/24"), bip: "10.0.1.99/24" };
  expect(own(wishes, "10.0.0.88/20")?.pool).toEqual({
    subnet: "10.0.1.0/24",
    gateway: "10.0.1.99",
    ipRange: "10.0.1.0/24",
  });
});

test("a default gateway is an address of the subnet that nobody else has", () => {
  const pool = { subnet: "10.0.0.0/24", gateway: "10.0.0.1" };
  const kept = withDefaultGateway(pool, 4, "10.0.0.254");
  expect(kept.auxiliary).toEqual({ DefaultGatewayIPv4: "10.0.0.254" });
  expect(withDefaultGateway(kept, 4, undefined)).toEqual(pool);
  expect(() => withDefaultGateway(pool, 4, "10.2.0.1")).toThrow(
    "auxiliary address: (DefaultGatewayIPv4:10.2.0.1) must belong to the master pool: 10.0.0.0/24",
  );
  expect(() => withDefaultGateway(pool, 4, "10.0.0.1")).toThrow(
    "failed to allocate secondary ip address (DefaultGatewayIPv4:10.0.0.1): Address already in use",
  );
});
