import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { ContainerConfig, HostConfig } from "../../api/container-config.ts";
import { EngineError, errorKind } from "../../base/errors.ts";
import { testDefaults, testHost } from "./test-host.ts";
import { validateCreate, validateUpdate } from "./validate.ts";

interface Case {
  config: ContainerConfig;
  hostConfig: HostConfig;
  warnings?: string[];
  status?: number;
  message?: string;
}

/** Recorded from dockerd 28.5: what it answered to `POST /containers/create`. */
const recorded: Case[] = readFileSync(new URL("create.golden", import.meta.url), "utf8")
  .split("\n")
  .filter(Boolean)
  .map((line) => JSON.parse(line));

test.each(recorded.map((entry) => [JSON.stringify([entry.config, entry.hostConfig]), entry] as const))(
  "create answers %s as dockerd does",
  (_, { config, hostConfig, warnings, status, message }) => {
    let caught: unknown;
    let given: string[] | undefined;
    try {
      given = validateCreate(config, hostConfig, testHost, testDefaults);
    } catch (error) {
      caught = error;
    }
    if (caught !== undefined && !(caught instanceof EngineError)) throw caught;
    expect({ message: caught?.message, warnings: given }).toEqual({ message, warnings } as never);
    if (status !== undefined) expect(errorKind(caught)).toBe(status === 500 ? "internal" : "invalid-argument");
  },
);

test("an update changes what it names and keeps the rest", () => {
  const current: HostConfig = { Memory: 100 << 20, MemorySwap: 200 << 20, CpuShares: 512, PidsLimit: 7 };
  const { hostConfig } = validateUpdate(
    current,
    { Memory: 150 << 20, PidsLimit: -1, RestartPolicy: { Name: "always" } },
    testHost,
  );
  expect(hostConfig).toEqual({
    Memory: 150 << 20,
    MemorySwap: 200 << 20,
    CpuShares: 512,
    PidsLimit: null,
    RestartPolicy: { Name: "always", MaximumRetryCount: 0 },
  });
});

test("an update is refused where it contradicts what the container has", () => {
  const update = (current: HostConfig, request: HostConfig) => () => validateUpdate(current, request, testHost);
  expect(update({ MemorySwap: 20 << 20 }, { Memory: 30 << 20 })).toThrow("update the memoryswap at the same time");
  expect(update({ NanoCpus: 1e9 }, { CpuQuota: 5000 })).toThrow(
    "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
  );
  expect(update({ AutoRemove: true }, { RestartPolicy: { Name: "always" } })).toThrow("AutoRemove is enabled");
});
