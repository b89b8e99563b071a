/** `volume create`. */
import type { Volume, VolumeCreateRequest } from "../../api/volumes.ts";
import { CliError, defineCommand } from "../command.ts";
import { flag, splitPair } from "../flag-kinds.ts";

export const command = defineCommand({
  usage: "[OPTIONS] [VOLUME]",
  args: { min: 0, max: 1 },
  flags: {
    driver: flag.stringWith("local", "Specify volume driver name", { short: "d" }),
    label: flag.list("Set metadata for a volume"),
    name: flag.string("Specify volume name", { hidden: true }),
    opt: flag.map("Set driver specific options", { short: "o" }),
  },
  async run(context, flags, [argument]) {
    const { driver, label, name, opt } = flags.value;
    if (argument !== undefined && name !== "") {
      throw new CliError(
        "conflicting options: cannot specify a volume-name through both --name and as a positional arg",
      );
    }
    const body: VolumeCreateRequest = {
      Driver: driver,
      DriverOpts: opt,
      Labels: labelMap(label),
      Name: argument ?? name,
    };
    const volume = await context.client.json<Volume>("POST", "/volumes/create", { body });
    context.stdout.print(volume.Name);
    return 0;
  },
});

/** `--label k=v` items as a map; the last of equal keys wins. */
export function labelMap(labels: readonly string[]): Record<string, string> {
  return Object.fromEntries(labels.map(splitPair));
}
