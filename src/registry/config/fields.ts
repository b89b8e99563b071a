/** Reading the lists of the configuration. */
import { invalidArgument } from "../../base/errors.ts";
import { asArray, asObject, type JsonObject } from "../../oci/json.ts";

/** A list of mappings that have no fields but these. Throws `invalid-argument`, as `read` does. */
export function readList<T>(
  value: unknown,
  at: string,
  fields: readonly string[],
  read: (object: JsonObject, what: string) => T,
): T[] {
  return asArray(value, at).map((item, index) => {
    const what = `${at}[${index}]`;
    const object = asObject(item, what);
    const unknown = Object.keys(object).find((field) => !fields.includes(field));
    if (unknown !== undefined) throw invalidArgument(`${what}: unknown field ${unknown}`);
    return read(object, what);
  });
}

export function asCount(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalidArgument(`${what} must be a whole number`);
}

/** Texts of a fixed set. */
export function asOneOf<T extends string>(known: readonly T[], value: unknown, what: string): T {
  if (known.includes(value as T)) return value as T;
  throw invalidArgument(`${what}: ${String(value)} is not one of ${known.join(", ")}`);
}

export function asHttpUrl(value: unknown, what: string): string {
  if (typeof value === "string" && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)) return value;
  throw invalidArgument(`${what}: ${String(value)} is not an http or https URL`);
}
