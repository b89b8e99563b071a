/** How each kind of object is looked up for `inspect`. */
import type { Query } from "../../api/client.ts";
import { isStatus } from "../../api/client-error.ts";
import { CliError } from "../command.ts";
import type { CliContext } from "../context.ts";
import { describeError } from "../errors.ts";
import { engineTypes } from "./engine-types.ts";
import type { Inspected } from "./inspector.ts";

export type Finder = (name: string) => Promise<Inspected>;

const trimmed = (text: string) => text.trim();

function finder(
  context: CliContext,
  kind: string,
  type: string,
  path: (name: string) => string,
  query?: Query,
): Finder {
  return async (name) => {
    if (name === "" && kind === "container") throw new CliError("invalid container name or ID: value is empty");
    const response = await context.client.request("GET", path(encodeURIComponent(name)), query ? { query } : {});
    return { text: trimmed(await response.text()), type: engineTypes.type(type) };
  };
}

export function findContainer(context: CliContext, size: boolean): Finder {
  const path = (name: string) => `/containers/${name}/json`;
  return finder(context, "container", "*container.InspectResponse", path, size ? { size: true } : undefined);
}

export function findImage(context: CliContext, query?: Query): Finder {
  return finder(context, "image", "image.InspectResponse", (name) => `/images/${name}/json`, query);
}

export function findNetwork(context: CliContext, query?: Query): Finder {
  return finder(context, "network", "network.Inspect", (name) => `/networks/${name}`, query);
}

export function findVolume(context: CliContext): Finder {
  return finder(context, "volume", "volume.Volume", (name) => `/volumes/${name}`);
}

/** The kinds in the order in which `inspect` without `--type` tries them. */
export function findAny(context: CliContext, size: boolean): Finder {
  const finders: [string, Finder][] = [
    ["container", findContainer(context, size)],
    ["image", findImage(context)],
    ["network", findNetwork(context)],
    ["volume", findVolume(context)],
  ];
  return async (name) => {
    for (const [kind, find] of finders) {
      try {
        const found = await find(name);
        if (size && kind !== "container") context.stderr.print(`WARNING: --size ignored for ${kind}`);
        return found;
      } catch (error) {
        if (!skippable(error)) throw error;
      }
    }
    throw new CliError(`Error: No such object: ${name}`);
  };
}

function skippable(error: unknown): boolean {
  return isStatus(error, 404) || /not supported|invalid reference format/.test(describeError(error));
}
