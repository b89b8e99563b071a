/** `container diff`. */
import type { FilesystemChange } from "../../api/containers.ts";
import { CliError, defineCommand } from "../command.ts";
import { containerPath } from "./names.ts";

const letters = { 0: "C", 1: "A", 2: "D" } as const;

export const command = defineCommand({
  usage: "CONTAINER",
  args: { min: 1, max: 1 },
  flags: {},
  async run(context, _flags, [name = ""]) {
    if (name.trim() === "") throw new CliError("Container name cannot be empty");
    const changes = await context.client.json<FilesystemChange[] | null>("GET", `${containerPath(name)}/changes`);
    context.stdout.write((changes ?? []).map(({ Kind, Path }) => `${letters[Kind]} ${Path}\n`).join(""));
    return 0;
  },
});
