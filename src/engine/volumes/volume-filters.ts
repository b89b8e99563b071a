/** Filters of `volume ls` and `volume prune`, with Docker's messages. */
import { labelsMatch, matchesLabel } from "../../api/filters.ts";
import type { Filters } from "../../api/system.ts";
import { invalidArgument } from "../../base/errors.ts";
import { anonymousLabel, type VolumeRecord } from "./volume-store.ts";

/** Throws for a filter that does not exist or has a value it cannot have. */
export function checkListFilters(filters: Filters): void {
  checkNames(filters, ["dangling", "name", "driver", "label"]);
  const dangling = filters["dangling"];
  if (dangling !== undefined && !dangling.every((value) => bools.has(value))) {
    throw invalidArgument(`invalid filter 'dangling=[${dangling.join(" ")}]'`);
  }
}

export function matchesList(record: VolumeRecord, filters: Filters, inUse: (name: string) => boolean): boolean {
  const { name, driver, dangling, label } = filters;
  if (name?.length && !name.some((pattern) => matchesPattern(record.name, pattern))) return false;
  if (driver?.length && !driver.includes(record.driver)) return false;
  if (dangling?.length && !dangling.some((value) => bools.get(value) === !inUse(record.name))) return false;
  return (label ?? []).every((wanted) => matchesLabel(record.labels, wanted));
}

/** Which volumes a prune may take. Throws Docker's messages. */
export function parsePruneFilters(filters: Filters): (record: VolumeRecord) => boolean {
  checkNames(filters, ["label", "label!", "all"]);
  const given = filters["all"] ?? [];
  for (const value of given) {
    if (bools.has(value)) continue;
    throw invalidArgument(`invalid filter 'all': strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`);
  }
  const all = given.some((value) => bools.get(value));
  return (record) => (all || record.labels?.[anonymousLabel] !== undefined) && labelsMatch(filters, record.labels);
}

/** Go's strconv.ParseBool. */
const bools = new Map<string, boolean>([
  ...["1", "t", "T", "TRUE", "true", "True"].map((text): [string, boolean] => [text, true]),
  ...["0", "f", "F", "FALSE", "false", "False"].map((text): [string, boolean] => [text, false]),
]);

function checkNames(filters: Filters, known: string[]): void {
  const unknown = Object.keys(filters).find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalidArgument(`invalid filter '${unknown}'`);
}

/** Docker matches names by regular expression; what is none is taken literally. */
function matchesPattern(name: string, pattern: string): boolean {
  try {
    return name === pattern || new RegExp(pattern).test(name);
  } catch {
    return name.includes(pattern);
  }
}
