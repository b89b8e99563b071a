/** The shape of a JSON value: every path in it with the kind of its value, for comparing what two engines tell. */

/** One line per path, sorted. Keys that are ids or addresses are the caller's to avoid. */
export function describeShape(value: unknown): string {
  return [...new Set(paths(value, ""))].sort().join("\n");
}

function paths(value: unknown, at: string): string[] {
  if (Array.isArray(value)) {
    return value.length === 0 ? [`${at}: []`] : value.flatMap((item) => paths(item, `${at}[]`));
  }
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value);
    return entries.length === 0 ? [`${at}: {}`] : entries.flatMap(([key, item]) => paths(item, `${at}.${key}`));
  }
  return [`${at}: ${value === null ? "null" : typeof value}`];
}
