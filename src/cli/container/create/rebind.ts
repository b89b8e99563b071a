/** `update --publish-add` and `--publish-rm`: a container's port bindings as they are to be. */

import type { ApiClient } from "../../../api/client.ts";
import type { PortBinding, PortMap } from "../../../api/container-config.ts";
import type { ContainerInspect } from "../../../api/containers.ts";
import { CliError } from "../../command.ts";
import { containerPath } from "../names.ts";
import { parsePorts } from "./publish.ts";

export interface BindingChange {
  /** `8080:80`, as for `--publish`. */
  readonly add: readonly string[];
  /** The same, or a container's port (`80/tcp`) for all of its bindings. */
  readonly remove: readonly string[];
}

/** undefined: nothing is to change. Throws CliError for what is no port, or not published. */
export async function changedBindings(
  client: Pick<ApiClient, "json">,
  name: string,
  change: BindingChange,
): Promise<PortMap | undefined> {
  if (change.add.length === 0 && change.remove.length === 0) return undefined;
  const { HostConfig: host } = await client.json<ContainerInspect>("GET", `${containerPath(name)}/json`);
  return rebind(host.PortBindings ?? {}, change);
}

/** Pure. */
export function rebind(current: PortMap, { add, remove }: BindingChange): PortMap {
  const bindings = new Map(Object.entries(current).map(([port, list]) => [port, [...(list ?? [])]]));
  for (const text of remove) for (const [port, list] of parse(text)) take(bindings, text, port, list);
  for (const text of add) {
    for (const [port, list] of parse(text)) bindings.set(port, [...(bindings.get(port) ?? []), ...list]);
  }
  return Object.fromEntries([...bindings].filter(([, list]) => list.length > 0));
}

function parse(text: string): [string, PortBinding[]][] {
  try {
    return Object.entries(parsePorts([text], []).bindings);
  } catch (cause) {
    throw new CliError(cause instanceof Error ? cause.message : String(cause));
  }
}

/** A port without a host's stands for all of its bindings. */
function take(bindings: Map<string, PortBinding[]>, text: string, port: string, unwanted: PortBinding[]): void {
  const present = bindings.get(port) ?? [];
  const isMeant = (binding: PortBinding) =>
    unwanted.some(({ HostIp = "", HostPort = "" }) => {
      const samePort = HostPort === "" || HostPort === (binding.HostPort ?? "");
      return samePort && (HostIp === "" || HostIp === (binding.HostIp ?? ""));
    });
  const rest = present.filter((binding) => !isMeant(binding));
  if (rest.length === present.length) throw new CliError(`port ${text} is not published`);
  bindings.set(port, rest);
}
