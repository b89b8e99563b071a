/** `docker network ls --filter`. Pure. */
import { matchesLabel } from "../../../api/filters.ts";
import type { Filters } from "../../../api/system.ts";
import { invalidArgument } from "../../../base/errors.ts";
import type { NetworkRecord } from "../network-store.ts";

const known = ["dangling", "driver", "id", "label", "name", "scope", "type", "until"];
const predefinedNames = ["bridge", "host", "none"];

/** Values of one filter are alternatives, filters must all match. Throws `invalid-argument` with dockerd's words. */
export function matchesNetwork(record: NetworkRecord, filters: Filters, isUsed: boolean): boolean {
  for (const name of Object.keys(filters)) if (!known.includes(name)) throw invalidArgument(`invalid filter '${name}'`);
  const isPredefined = predefinedNames.includes(record.name);
  // Read before anything is compared: a wrong value is an error even where another filter excludes the network.
  const builtin = filters["type"]?.map(isBuiltin) ?? [];
  const dangling = danglingValues(filters["dangling"]);
  return (
    any(filters["driver"], (value) => value === record.driver) &&
    any(filters["name"], (value) => record.name.includes(value)) &&
    any(filters["id"], (value) => record.id.startsWith(value)) &&
    any(filters["scope"], (value) => value === "local") &&
    (builtin.length === 0 || builtin.includes(isPredefined)) &&
    (filters["label"] ?? []).every((value) => matchesLabel(record.labels, value)) &&
    dangling.every((value) => value === (!isPredefined && !isUsed))
  );
}

function any(values: string[] | undefined, test: (value: string) => boolean): boolean {
  return values === undefined || values.length === 0 || values.some(test);
}

function isBuiltin(type: string): boolean {
  if (type !== "builtin" && type !== "custom") throw invalidArgument(`invalid filter: 'type'='${type}'`);
  return type === "builtin";
}

function danglingValues(values: string[] = []): boolean[] {
  if (values.length > 1) throw invalidArgument('got more than one value for filter key "dangling"');
  return values.map((value) => {
    if (value === "true" || value === "1") return true;
    if (value === "false" || value === "0") return false;
    throw invalidArgument(`invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`);
  });
}
