/** What is read of a machine, from directories made for it. */
import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { thermalThrottles } from "./host-facts.ts";

test("the processors that tell how hot they were, by number", () => {
  const devices = mkdtempSync(join(tmpdir(), "gantry-host-facts-"));
  try {
    for (const cpu of ["cpu10", "cpu2", "cpu0", "cpufreq"])
      mkdirSync(join(devices, cpu, "thermal_throttle"), { recursive: true });
    mkdirSync(join(devices, "cpu1"));
    const paths = ["cpu0", "cpu2", "cpu10"].map((cpu) => join(devices, cpu, "thermal_throttle"));
    expect(thermalThrottles(devices)).toEqual(paths);
    expect(thermalThrottles(join(devices, "none"))).toEqual([]);
  } finally {
    rmSync(devices, { recursive: true });
  }
});
