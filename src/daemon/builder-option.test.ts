import { expect, test } from "bun:test";
import { builderOption } from "./builder-option.ts";

const read = (gc: unknown) => builderOption.fromJson({ gc });

test("rules with their older and newer names", () => {
  expect(builderOption.fromJson({})).toEqual({ enabled: false, defaultKeep: undefined, rules: undefined });
  expect(read({ enabled: true, defaultKeepStorage: "20GB" })).toMatchObject({
    enabled: true,
    defaultKeep: 20 * 2 ** 30,
  });
  expect(read({ enabled: true, defaultReservedSpace: "15%" })).toMatchObject({ defaultKeep: { percent: 15 } });
  const policy = [
    { keepStorage: "1KB", filter: ["unused-for=48h", "description=x"] },
    { all: true, reservedSpace: "2KB" },
  ];
  expect(read({ enabled: true, policy }).rules).toEqual([
    { all: false, keep: 1024, filters: { until: ["48h"], description: ["x"] } },
    { all: true, keep: 2048, filters: {} },
  ]);
});

test("what would have no effect is refused", () => {
  expect(() => read({ maxUsedSpace: "1GB" })).toThrow("builder.gc.maxUsedSpace is not supported");
  expect(() => read({ policy: [{ minFreeSpace: "1GB" }] })).toThrow("builder.gc.policy.minFreeSpace is not supported");
  expect(() => read({ policy: [{ filter: ["colour=red"] }] })).toThrow("invalid filter 'colour=red'");
  expect(() => read({ enabled: "yes" })).toThrow("builder.gc.enabled must be true or false");
  expect(() => builderOption.fromJson({ workers: {} })).toThrow("builder.workers is not supported");
});

test("entitlements as they are may be said, in dockerd's spelling, too", () => {
  const unset = { enabled: false, defaultKeep: undefined, rules: undefined };
  expect(builderOption.fromJson({ GC: {}, Entitlements: {} })).toEqual(unset);
  const asBuilt = { "network-host": true, "security-insecure": false };
  expect(builderOption.fromJson({ entitlements: asBuilt })).toEqual(unset);
  expect(() => builderOption.fromJson({ entitlements: { "security-insecure": true } })).toThrow(
    "builder.entitlements.security-insecure must be false: nothing else is built yet",
  );
  expect(() => builderOption.fromJson({ entitlements: { "network-host": false } })).toThrow("must be true");
});
