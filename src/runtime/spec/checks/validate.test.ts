import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { ContainerConfig, HostConfig } from "../../../api/container-config.ts";
import { EngineError, errorKind } from "../../../base/errors.ts";
import { testDefaults, testHost } from "../test-host.ts";
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

const M = 1 << 20;

/** Recorded from dockerd 28.5: the container's HostConfig, the request, and what then differs. */
test.each<[HostConfig, HostConfig, HostConfig]>([
  [{ Memory: 20 * M, MemorySwap: 40 * M, CpuShares: 512 }, { Memory: 30 * M }, { Memory: 30 * M }],
  [{}, { MemorySwap: 50 * M }, { MemorySwap: 50 * M }],
  [
    { Memory: 20 * M, MemorySwap: 40 * M },
    { Memory: 50 * M, MemorySwap: -1 },
    { Memory: 50 * M, MemorySwap: -1 },
  ],
  [{ NanoCpus: 1e9 }, { NanoCpus: 5e8 }, { NanoCpus: 5e8 }],
  [{ PidsLimit: 5 }, { PidsLimit: -1 }, { PidsLimit: 0 }],
  [{ PidsLimit: 5 }, { PidsLimit: null }, {}],
  [{ AutoRemove: true }, { RestartPolicy: { Name: "no" } }, { RestartPolicy: { Name: "no", MaximumRetryCount: 0 } }],
  [{ RestartPolicy: { Name: "always" } }, { RestartPolicy: { Name: "" } }, {}],
  [{}, { MemorySwappiness: 50, Devices: [{ PathOnHost: "/dev/zero" }], CgroupParent: "/x" }, {}],
])("%j updated by %j", (current, request, difference) => {
  const { hostConfig, warnings } = validateUpdate(current, request, testHost);
  expect(hostConfig).toEqual({ ...current, ...difference });
  expect(warnings).toEqual(["IPv4 forwarding is disabled. Networking will not work."]);
});

const tooSmall =
  "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time";
const already = (wanted: string, present: string) =>
  `Conflicting options: ${wanted} cannot be updated as ${present} has already been set`;

test.each<[HostConfig, HostConfig, string]>([
  [{}, { Memory: 20 * M }, tooSmall],
  [{ Memory: 20 * M, MemorySwap: 40 * M }, { Memory: 50 * M }, tooSmall],
  [{ Memory: 20 * M, MemorySwap: -1 }, { Memory: 50 * M }, tooSmall],
  [{ NanoCpus: 1e9 }, { CpuQuota: 5000 }, already("CPU Quota", "NanoCPUs")],
  [{ NanoCpus: 1e9 }, { CpuPeriod: 5000 }, already("CPU Period", "NanoCPUs")],
  [{ CpuQuota: 5000 }, { NanoCpus: 1e9 }, already("Nano CPUs", "CPU Quota")],
  [{ CpuPeriod: 5000 }, { NanoCpus: 1e9 }, already("Nano CPUs", "CPU Period")],
  [
    { AutoRemove: true },
    { RestartPolicy: { Name: "always" } },
    "Restart policy cannot be updated because AutoRemove is enabled for the container",
  ],
])("%j cannot be updated by %j", (current, request, message) => {
  let caught: unknown;
  try {
    validateUpdate(current, request, testHost, "c1");
  } catch (error) {
    caught = error;
  }
  expect([errorKind(caught), (caught as Error).message]).toEqual([
    "conflict",
    `Cannot update container c1: ${message}`,
  ]);
});
