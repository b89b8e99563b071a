/** Filters of `volume ls` and `volume prune`, with Docker's messages. */
import { labelsMatch, matchesLabel } from "../../api/filters.ts";
import type { Filters } from "../../api/system.ts";
import { invalidArgument } from "../../base/errors.ts";
import { parseGoBool } from "../../base/go-bool.ts";
import { anonymousLabel, type VolumeRecord } from "./volume-store.ts";

/** Throws for a filter that does not exist or has a value it cannot have. */
export function checkListFilters(filters: Filters): void {
  checkNames(filters, ["dangling", "name", "driver", "label"]);
  const dangling = filters["dangling"];
  if (dangling !== undefined && !dangling.every((value) => parseGoBool(value) !== undefined)) {
    throw invalidArgument(`invalid filter 'dangling=[${dangling.join(" ")}]'`);
  }
}

export function matchesList(record: VolumeRecord, filters: Filters, inUse: (name: string) => boolean): boolean {
  const { name, driver, dangling, label } = filters;
  if (name?.length && !name.some((pattern) => matchesPattern(record.name, pattern))) return false;
  if (driver?.length && !driver.includes(record.driver)) return false;
  if (dangling?.length && !dangling.some((value) => parseGoBool(value) === !inUse(record.name))) return false;
  return (label ?? []).every((wanted) => matchesLabel(record.labels, wanted));
}

/** Which volumes a prune may take. Throws Docker's messages. */
export function parsePruneFilters(filters: Filters): (record: VolumeRecord) => boolean {
  checkNames(filters, ["label", "label!", "all"]);
  const given = filters["all"] ?? [];
  const wrong = given.find((value) => parseGoBool(value) === undefined);
  if (wrong !== undefined) {
    throw invalidArgument(`invalid filter 'all': strconv.ParseBool: parsing ${JSON.stringify(wrong)}: invalid syntax`);
  }
  const all = given.some(parseGoBool);
  return (record) => (all || record.labels?.[anonymousLabel] !== undefined) && labelsMatch(filters, record.labels);
}

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
