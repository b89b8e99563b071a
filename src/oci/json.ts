/** Reading JSON that came from outside: checked field by field, with the field's name in the error. */
import { errorMessage, invalidArgument } from "../base/errors.ts";
import { goComplaint } from "../base/go-json-complaint.ts";

export type JsonObject = Record<string, unknown>;

/** Parses bytes of at most `limit`; throws `invalid-argument` naming `what`. */
export function parseJson(bytes: Uint8Array, what: string, limit: number): unknown {
  if (bytes.length > limit) throw invalidArgument(`${what} is larger than ${limit} bytes`);
  let text = "";
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return JSON.parse(text);
  } catch (error) {
    const complaint = error instanceof SyntaxError ? goComplaint(text) : errorMessage(error);
    throw invalidArgument(`${what} is not JSON: ${complaint}`, { cause: error });
  }
}

export function asObject(value: unknown, what: string): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw invalidArgument(`${what} must be an object`);
}

export function asArray(value: unknown, what: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw invalidArgument(`${what} must be an array`);
}

export function asString(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw invalidArgument(`${what} must be a string`);
}

/** A whole number that is not negative. */
export function asSize(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalidArgument(`${what} must be a number of bytes`);
}

export function asStrings(value: unknown, what: string): string[] {
  return asArray(value, what).map((item, index) => asString(item, `${what}[${index}]`));
}

export function asStringMap(value: unknown, what: string): Record<string, string> {
  const map = asObject(value, what);
  for (const [key, item] of Object.entries(map)) asString(item, `${what}.${key}`);
  return map as Record<string, string>;
}

/** Go writes empty slices, maps and pointers as null: null and undefined both mean absent. */
export function optional<T>(value: unknown, what: string, read: (value: unknown, what: string) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value, what);
}
