/** `container update`. */
import type { ContainerUpdateRequest } from "../../api/containers.ts";
import { CliError, defineCommand } from "../command.ts";
import { describeError } from "../errors.ts";
import { flag } from "../flag-kinds.ts";
import * as kinds from "./create/config-kinds.ts";
import { restartPolicy } from "./create/create-config.ts";
import { changedBindings } from "./create/rebind.ts";
import { containerPath } from "./names.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  args: { min: 1 },
  flags: {
    "blkio-weight": flag.uint16("Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)"),
    "cpu-period": flag.int("Limit CPU CFS (Completely Fair Scheduler) period"),
    "cpu-quota": flag.int("Limit CPU CFS (Completely Fair Scheduler) quota"),
    "cpu-rt-period": flag.int("Limit the CPU real-time period in microseconds"),
    "cpu-rt-runtime": flag.int("Limit the CPU real-time runtime in microseconds"),
    "cpuset-cpus": flag.string("CPUs in which to allow execution (0-3, 0,1)"),
    "cpuset-mems": flag.string("MEMs in which to allow execution (0-3, 0,1)"),
    "cpu-shares": flag.int("CPU shares (relative weight)", { short: "c" }),
    memory: flag.bytes("Memory limit", { short: "m" }),
    "memory-reservation": flag.bytes("Memory soft limit"),
    "memory-swap": flag.of(kinds.swapBytes, 0, "Swap limit equal to memory plus swap: -1 to enable unlimited swap"),
    restart: flag.string("Restart policy to apply when a container exits"),
    "pids-limit": flag.int("Tune container pids limit (set -1 for unlimited)"),
    cpus: flag.of(kinds.nanoCpus, 0, "Number of CPUs"),
    "publish-add": flag.list("Publish a further port to the host, while the container runs (needs Gantry's daemon)"),
    "publish-rm": flag.list("Publish a port no longer: HOST:CONTAINER as given, or CONTAINER for all of it"),
  },
  async run(context, flags, args) {
    const { value } = flags;
    const names = Object.keys(value) as (keyof typeof value)[];
    if (!names.some((name) => flags.changed(name))) {
      throw new CliError("you must provide one or more flags when using this command");
    }
    const body: ContainerUpdateRequest = {
      BlkioWeight: value["blkio-weight"],
      CpuPeriod: value["cpu-period"],
      CpuQuota: value["cpu-quota"],
      CpuRealtimePeriod: value["cpu-rt-period"],
      CpuRealtimeRuntime: value["cpu-rt-runtime"],
      CpusetCpus: value["cpuset-cpus"],
      CpusetMems: value["cpuset-mems"],
      CpuShares: value["cpu-shares"],
      Memory: value.memory,
      MemoryReservation: value["memory-reservation"],
      MemorySwap: value["memory-swap"],
      NanoCpus: value.cpus,
      RestartPolicy: value.restart === "" ? {} : restartPolicy(value.restart),
      ...(flags.changed("pids-limit") ? { PidsLimit: value["pids-limit"] } : {}),
    };
    const warnings: string[] = [];
    const failures: string[] = [];
    for (const name of args) {
      try {
        const change = { add: value["publish-add"], remove: value["publish-rm"] };
        const PortBindings = await changedBindings(context.client, name, change);
        const result = await context.client.json<{ Warnings?: string[] | null }>(
          "POST",
          `${containerPath(name)}/update`,
          { body: PortBindings ? { ...body, PortBindings } : body },
        );
        context.stdout.print(name);
        warnings.push(...(result.Warnings ?? []));
      } catch (error) {
        failures.push(describeError(error));
      }
    }
    if (warnings.length > 0) context.stdout.print(warnings.join("\n"));
    if (failures.length > 0) throw new CliError(failures.join("\n"));
    return 0;
  },
});
