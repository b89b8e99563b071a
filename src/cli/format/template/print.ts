/** Values as Go's fmt prints them with %v, and as encoding/json writes them. */
import { formatGoDuration } from "../../../base/go-duration.ts";
import {
  asList,
  asMap,
  elemType,
  GoObject,
  indirect,
  isNilPointer,
  natural,
  resolve,
  sortedKeys,
  typed,
  type Val,
  type ValidVal,
} from "./go-type.ts";

/** What an action prints: pointers are followed, the invalid value is `<no value>`. */
export function printValue(val: Val): string {
  const inner = indirect(resolve(val));
  return inner === undefined ? "<no value>" : formatValue(inner, 0);
}

/** fmt's %v. `depth` 0 is the outermost value: only there is a pointer to a struct shown as `&{…}`. */
export function formatValue(val: Val, depth: number): string {
  const inner = resolve(val);
  if (!inner) return "<nil>";
  const { type, value } = inner;
  switch (type.kind) {
    case "string":
      return String(value ?? "");
    case "bool":
      return String(value ?? false);
    case "int":
      return type.name === "time.Duration" ? formatGoDuration(Number(value ?? 0)) : String(value ?? 0);
    case "float":
      return formatFloat(Number(value ?? 0));
    case "time":
      return formatTime(value);
    case "slice":
      return `[${asList(inner)
        .map((item) => formatValue(typed(elemType(inner), item), depth + 1))
        .join(" ")}]`;
    case "map": {
      const map = asMap(inner);
      const pairs = sortedKeys(map).map((key) => `${key}:${formatValue(typed(elemType(inner), map[key]), depth + 1)}`);
      return `map[${pairs.join(" ")}]`;
    }
    case "struct":
      return `{${structFields(inner)
        .map((field) => formatValue(field.val, depth + 1))
        .join(" ")}}`;
    case "pointer":
      return formatPointer(inner, depth);
    default:
      return value instanceof GoObject ? jsonOf(inner) : "<nil>";
  }
}

function formatPointer(val: ValidVal, depth: number): string {
  if (isNilPointer(val)) return "<nil>";
  const kind = val.type.elem?.kind;
  const composite = kind === "struct" || kind === "map" || kind === "slice";
  // Deeper pointers print as an address in Go; any will do.
  return depth === 0 && composite ? `&${formatValue(indirect(val), depth + 1)}` : "0xc000012120";
}

/** The shortest decimal, with Go's thresholds for the exponent (below 1e-4, from 1e21). */
function formatFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e21)) {
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  }
  return String(value);
}

/** time.Time.String(): `2026-01-02 03:04:05.5 +0000 UTC`. */
function formatTime(value: unknown): string {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?(Z|([+-])(\d\d):(\d\d))$/.exec(String(value ?? ""));
  if (!match) return "0001-01-01 00:00:00 +0000 UTC";
  const fraction = (match[3] ?? "").replace(/\.?0+$/, "");
  const zone = match[4] === "Z" ? "+0000 UTC" : `${match[5]}${match[6]}${match[7]} ${match[5]}${match[6]}${match[7]}`;
  return `${match[1]} ${match[2]}${fraction} ${zone}`;
}

function structFields(val: ValidVal): { name: string; json: string; omitEmpty: boolean; val: ValidVal }[] {
  const map = asMap(val);
  return (val.type.fields ?? []).map(({ name, json, omitEmpty, type }) => ({
    name,
    json,
    omitEmpty,
    val: typed(type, map[json || name]),
  }));
}

/** json.Marshal without HTML escaping: structs keep their order, maps are sorted. */
export function jsonOf(val: Val): string {
  const inner = resolve(val);
  if (!inner) return "null";
  const { type, value } = inner;
  switch (type.kind) {
    case "string":
      return type.name === "json.Number" ? String(value) : jsonString(String(value ?? ""));
    case "bool":
      return String(value ?? false);
    case "int":
    case "float":
      return String(value ?? 0);
    case "time":
      return jsonString(String(value ?? "0001-01-01T00:00:00Z"));
    case "slice":
      if (!Array.isArray(value)) return "null";
      return `[${value.map((item) => jsonOf(typed(elemType(inner), item))).join(",")}]`;
    case "map": {
      if (value === null || value === undefined) return "null";
      const map = asMap(inner);
      return `{${sortedKeys(map)
        .map((key) => `${jsonString(key)}:${jsonOf(typed(elemType(inner), map[key]))}`)
        .join(",")}}`;
    }
    case "struct":
      return `{${structFields(inner)
        .filter((field) => field.json !== "" && !(field.omitEmpty && isEmpty(field.val)))
        .map((field) => `${jsonString(field.json)}:${jsonOf(field.val)}`)
        .join(",")}}`;
    case "pointer":
      return isNilPointer(inner) ? "null" : jsonOf(indirect(inner));
    default:
      return value instanceof GoObject ? jsonObject(value) : "null";
  }
}

/** Every method without arguments, sorted by name, as docker's MarshalJSON does. */
function jsonObject(object: GoObject): string {
  const names = Object.keys(object.methods).filter((name) => object.methods[name]?.length === 0);
  const text = names.sort().map((name) => `${jsonString(name)}:${jsonOf(natural(object.methods[name]?.()))}`);
  // Docker's own MarshalJSON does escape these.
  return `{${text.join(",")}}`.replace(/[<>&]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
}

export function jsonString(text: string): string {
  return JSON.stringify(text).replace(/[\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
}

function isEmpty(val: ValidVal): boolean {
  switch (val.type.kind) {
    case "struct":
    case "time":
      return false;
    case "slice":
      return asList(val).length === 0;
    case "map":
      return Object.keys(asMap(val)).length === 0;
    default:
      return !val.value;
  }
}

/** `%T`. */
export function typeName(val: Val): string {
  return resolve(val)?.type.name ?? "<nil>";
}
