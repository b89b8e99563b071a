/** What the `label` filters of lists, prunes and events mean. Source: Docker Engine API, parameter `filters`. */
import type { Filters } from "./system.ts";

type Labels = Record<string, string> | null | undefined;

/** `wanted`: `key`, or `key=value`. */
export function matchesLabel(labels: Labels, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  const key = equals < 0 ? wanted : wanted.slice(0, equals);
  if (!labels || !Object.hasOwn(labels, key)) return false;
  return equals < 0 || labels[key] === wanted.slice(equals + 1);
}

/** All `label` values must match and no `label!` value may. */
export function labelsMatch(filters: Filters, labels: Labels): boolean {
  const has = (wanted: string) => matchesLabel(labels, wanted);
  return (filters["label"] ?? []).every(has) && !(filters["label!"] ?? []).some(has);
}
