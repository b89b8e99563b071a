/**
 * Reads outside JSON into typed values as Go's encoding/json does for dockerd: names match whatever their case, unknown names are
 * ignored, null means absent, and a value of the wrong type is refused in Go's words. Throws invalid-argument.
 */
import { invalidArgument } from "../base/errors.ts";

export type Schema =
  | { readonly kind: "string" | "integer" | "float" | "boolean" | "unknown" | "command" }
  | { readonly kind: "array"; readonly of: Schema }
  | { readonly kind: "map"; readonly of: Schema }
  | { readonly kind: "object"; readonly fields: Readonly<Record<string, Schema>> };

export const string: Schema = { kind: "string" };
export const integer: Schema = { kind: "integer" };
export const float: Schema = { kind: "float" };
export const boolean: Schema = { kind: "boolean" };
export const unknown: Schema = { kind: "unknown" };
/** Go's strslice: an array of strings, or one string. */
export const command: Schema = { kind: "command" };
export const array = (of: Schema): Schema => ({ kind: "array", of });
export const map = (of: Schema): Schema => ({ kind: "map", of });
export const object = (fields: Record<string, Schema>): Schema => ({ kind: "object", fields });
export const strings = array(string);
export const labels = map(string);

const goTypes: Record<Exclude<Schema["kind"], "array" | "map">, string> = {
  string: "string",
  integer: "int64",
  float: "float64",
  boolean: "bool",
  unknown: "interface {}",
  command: "[]string",
  object: "struct",
};

/** As `readAs`, for a whole body of the Go type `type` (`container.CreateRequest`); errors about its fields begin with `name`. */
export function readBody(schema: Schema, value: unknown, names: { type?: string; name?: string }): unknown {
  const { type = "struct", name = type.split(".").at(-1) ?? "" } = names;
  if (schema.kind === "object" && value !== null && value !== undefined && !isRecord(value)) {
    throw mismatch(value, "Go value", type);
  }
  return readAs(schema, value, name);
}

/** `path` is the Go name shown in errors: `CreateRequest.Name`. */
export function readAs(schema: Schema, value: unknown, path: string): unknown {
  if (value === null || value === undefined) return undefined;
  switch (schema.kind) {
    case "unknown":
      return value;
    case "string":
    case "boolean":
      return typeof value === schema.kind ? value : refuse(schema, value, path);
    case "float":
      return typeof value === "number" ? value : refuse(schema, value, path);
    case "integer":
      return typeof value === "number" && Number.isInteger(value) ? value : refuse(schema, value, path);
    case "command":
      return typeof value === "string" ? [value] : readArray(string, value, path, schema);
    case "array":
      return readArray(schema.of, value, path, schema);
    case "map":
      return readMap(schema, value, path);
    case "object":
      return readObject(schema, value, path);
  }
}

function readArray(of: Schema, value: unknown, path: string, schema: Schema): unknown {
  if (!Array.isArray(value)) return refuse(schema, value, path);
  return value.map((item) => readAs(of, item, path) ?? zero(of));
}

function readMap(schema: Schema & { kind: "map" }, value: unknown, path: string): unknown {
  if (!isRecord(value)) return refuse(schema, value, path);
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, readAs(schema.of, item, path) ?? zero(schema.of)]),
  );
}

function readObject(schema: Schema & { kind: "object" }, value: unknown, path: string): unknown {
  if (!isRecord(value)) return refuse(schema, value, path);
  const result: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    const field = Object.hasOwn(schema.fields, name) ? name : anyCase(schema.fields, name);
    if (field === undefined) continue;
    const read = readAs(schema.fields[field] as Schema, item, `${path}.${field}`);
    if (read !== undefined) result[field] = read;
  }
  return result;
}

function anyCase(fields: Readonly<Record<string, Schema>>, name: string): string | undefined {
  const lower = name.toLowerCase();
  return Object.keys(fields).find((field) => field.toLowerCase() === lower);
}

/** What Go leaves in an array or map for null. */
function zero(schema: Schema): unknown {
  if (schema.kind === "string") return "";
  if (schema.kind === "integer" || schema.kind === "float") return 0;
  if (schema.kind === "boolean") return false;
  return null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(schema: Schema, value: unknown, path: string): never {
  const number = schema.kind === "integer" && typeof value === "number" ? ` ${value}` : "";
  throw mismatch(value, path.includes(".") ? `Go struct field ${path}` : "Go value", goType(schema), number);
}

function mismatch(value: unknown, where: string, wanted: string, detail = ""): Error {
  return invalidArgument(
    `invalid JSON: json: cannot unmarshal ${jsonType(value)}${detail} into ${where} of type ${wanted}`,
  );
}

function goType(schema: Schema): string {
  if (schema.kind === "array") return `[]${goType(schema.of)}`;
  if (schema.kind === "map") return `map[string]${goType(schema.of)}`;
  return goTypes[schema.kind];
}

function jsonType(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}
