/** `container port`. */
import type { ContainerInspect } from "../../api/containers.ts";
import { goQuote } from "../../base/go-quote.ts";
import { CliError, defineCommand } from "../command.ts";
import { naturalCompare } from "../values/natural-sort.ts";
import { containerPath } from "./names.ts";

export const command = defineCommand({
  usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  args: { min: 1, max: 2 },
  flags: {},
  async run(context, _flags, [name = "", wanted = ""]) {
    const container = await context.client.json<ContainerInspect>("GET", `${containerPath(name)}/json`);
    const ports = container.NetworkSettings.Ports ?? {};
    if (wanted === "") {
      const lines = Object.entries(ports).flatMap(([port, bindings]) =>
        (bindings ?? []).map((binding) => `${port} -> ${address(binding)}`),
      );
      context.stdout.write(sorted(lines));
      return 0;
    }
    const [number = "", protocol = "tcp"] = wanted.split("/");
    if (!/^\d+$/.test(number) || Number(number) > 65535) {
      const reason = /^\d+$/.test(number) ? "value out of range" : "invalid syntax";
      throw new CliError(`Error: invalid port (${number}): strconv.ParseUint: parsing ${goQuote(number)}: ${reason}`);
    }
    const key = `${Number(number)}/${protocol}`;
    const bindings = ports[key];
    if (!bindings) throw new CliError(`Error: No public port '${wanted}' published for ${name}`);
    context.stdout.write(sorted(bindings.map(address)));
    return 0;
  },
});

function address(binding: { HostIp?: string; HostPort?: string }): string {
  const ip = binding.HostIp ?? "";
  return `${ip.includes(":") ? `[${ip}]` : ip}:${binding.HostPort ?? ""}`;
}

function sorted(lines: string[]): string {
  return lines
    .sort(naturalCompare)
    .map((line) => `${line}\n`)
    .join("");
}
