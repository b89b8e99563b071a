/**
 * Values as Go templates see them: a JSON value together with the Go type that docker's own structs give it. The type decides how a value
 * prints, what a missing field is (a zero value, nil, or an error) and what an error message calls it.
 */
export type GoKind =
  | "string"
  | "bool"
  | "int"
  | "float"
  | "slice"
  | "map"
  | "struct"
  | "pointer"
  | "any"
  | "object"
  | "time";

export interface GoType {
  kind: GoKind;
  /** As Go prints the type: `*container.State`, `map[string]string`. */
  name: string;
  /** Of slices, maps and pointers. */
  elem?: GoType;
  /** Of structs, in declaration order. */
  fields?: GoField[];
}

export interface GoField {
  name: string;
  /** The key in JSON; empty for a field that JSON does not carry. */
  json: string;
  omitEmpty: boolean;
  type: GoType;
}

/** A typed value. Undefined stands for Go's invalid value, which prints as `<no value>`. */
export type Val = { type: GoType; value: unknown } | undefined;
export type ValidVal = NonNullable<Val>;

export const stringType: GoType = { kind: "string", name: "string" };
export const boolType: GoType = { kind: "bool", name: "bool" };
export const intType: GoType = { kind: "int", name: "int" };
export const floatType: GoType = { kind: "float", name: "float64" };
export const anyType: GoType = { kind: "any", name: "interface {}" };
export const timeType: GoType = { kind: "time", name: "time.Time" };
/** A number of a document that has no struct: a string underneath, as in Go. */
export const jsonNumberType: GoType = { kind: "string", name: "json.Number" };
export const anySliceType: GoType = { kind: "slice", name: "[]interface {}", elem: anyType };
export const anyMapType: GoType = { kind: "map", name: "map[string]interface {}", elem: anyType };
export const stringSliceType: GoType = { kind: "slice", name: "[]string", elem: stringType };

/** Row of a listing: named methods over some data, as docker's formatter contexts are. Values they return are plain JSON or a Val. */
export class GoObject {
  readonly typeName: string;
  readonly methods: Readonly<Record<string, (...args: string[]) => unknown>>;
  /** What it does not have is nothing rather than an error, as in a map. */
  readonly open: boolean;

  constructor(typeName: string, methods: Record<string, (...args: string[]) => unknown>, open = false) {
    this.typeName = typeName;
    this.methods = methods;
    this.open = open;
  }
}

/** A JSON value that already knows its type, for methods of a GoObject to return. */
export class Typed {
  readonly type: GoType;
  readonly value: unknown;

  constructor(type: GoType, value: unknown) {
    this.type = type;
    this.value = value;
  }
}

export function typed(type: GoType, value: unknown): ValidVal {
  return { type, value };
}

/** The type that a plain value has in Go: numbers are ints or floats, objects are map[string]interface {}. Null is the invalid value. */
export function natural(value: unknown): Val {
  if (value instanceof Typed) return resolve(typed(value.type, value.value));
  if (value instanceof GoObject) return typed({ kind: "object", name: value.typeName }, value);
  switch (typeof value) {
    case "string":
      return typed(stringType, value);
    case "boolean":
      return typed(boolType, value);
    case "number":
      return typed(Number.isInteger(value) ? intType : floatType, value);
    case "bigint":
      return typed(intType, value);
  }
  if (Array.isArray(value)) {
    return typed(value.every((item) => typeof item === "string") ? stringSliceType : anySliceType, value);
  }
  return typeof value === "object" && value !== null ? typed(anyMapType, value) : undefined;
}

/** Looks through `interface {}` to the value inside; numbers there are json.Number, as the fallback of `inspect` decodes them. */
export function resolve(val: Val): Val {
  if (val?.type.kind !== "any") return val;
  const { value } = val;
  if (typeof value === "number" || typeof value === "bigint") return typed(jsonNumberType, String(value));
  if (Array.isArray(value)) return typed(anySliceType, value);
  return natural(value);
}

/** Follows a pointer; a nil pointer stays what it is. */
export function indirect(val: Val): Val {
  if (val?.type.kind !== "pointer" || val.value === null || val.value === undefined) return val;
  return typed(val.type.elem as GoType, val.value);
}

export function isNilPointer(val: Val): boolean {
  return val?.type.kind === "pointer" && (val.value === null || val.value === undefined);
}

export function asList(val: ValidVal): unknown[] {
  return Array.isArray(val.value) ? val.value : [];
}

export function asMap(val: ValidVal): Record<string, unknown> {
  return (val.value ?? {}) as Record<string, unknown>;
}

/** Keys in the order in which Go walks a map in templates and prints it: sorted by bytes. */
export function sortedKeys(map: Record<string, unknown>): string[] {
  return Object.keys(map).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

export function elemType(val: ValidVal): GoType {
  return val.type.elem ?? anyType;
}

/** Go's truth: false, 0, "", nil and what is empty are false. */
export function truth(val: Val): boolean {
  const inner = resolve(val);
  if (!inner) return false;
  switch (inner.type.kind) {
    case "slice":
      return asList(inner).length > 0;
    case "map":
      return Object.keys(asMap(inner)).length > 0;
    case "struct":
    case "object":
    case "time":
      return true;
    case "pointer":
      return !isNilPointer(inner);
    default:
      return Boolean(inner.value);
  }
}
