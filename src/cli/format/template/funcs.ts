/** The functions of docker's templates: Go's built-in ones and docker's own (json, split, join, title, lower, upper, pad, truncate). */
import {
  asList,
  asMap,
  boolType,
  elemType,
  indirect,
  intType,
  isNilPointer,
  natural,
  resolve,
  sortedKeys,
  stringType,
  truth,
  typed,
  type Val,
  type ValidVal,
} from "./go-type.ts";
import { formatValue, jsonOf, typeName } from "./print.ts";
import { sprint, sprintf, sprintln } from "./sprintf.ts";

export type ParamType = "string" | "int" | "[]string" | "any";

export interface TemplateFunction {
  params: readonly ParamType[];
  /** The last parameter may come any number of times, also none. */
  variadic?: boolean;
  /** Throws an Error whose message goes after `error calling NAME: `. */
  run(args: Val[]): Val;
}

const text = (val: Val): string => String(resolve(val)?.value ?? "");
const int = (val: Val): number => Number(resolve(val)?.value ?? 0);
const string = (value: string): ValidVal => typed(stringType, value);
const bool = (value: boolean): ValidVal => typed(boolType, value);

function stringFunction(convert: (value: string) => string): TemplateFunction {
  return { params: ["string"], run: ([value]) => string(convert(text(value))) };
}

export const builtins: Readonly<Record<string, TemplateFunction>> = {
  // `and` and `or` are evaluated by the executor, which stops at the first decision; these entries give their arity.
  and: { params: ["any", "any"], variadic: true, run: (args) => args.find((arg) => !truth(arg)) ?? args.at(-1) },
  or: { params: ["any", "any"], variadic: true, run: (args) => args.find(truth) ?? args.at(-1) },
  not: { params: ["any"], run: ([value]) => bool(!truth(value)) },
  len: { params: ["any"], run: ([value]) => typed(intType, length(value)) },
  index: {
    params: ["any", "any"],
    variadic: true,
    run: ([item, ...indexes]) => indexes.reduce(index, notNil(item, "index of untyped nil")),
  },
  slice: { params: ["any", "any"], variadic: true, run: ([item, ...indexes]) => sliceOf(item, indexes) },
  print: { params: ["any"], variadic: true, run: (args) => string(sprint(args)) },
  println: { params: ["any"], variadic: true, run: (args) => string(sprintln(args)) },
  printf: {
    params: ["string", "any"],
    variadic: true,
    run: ([format, ...args]) => string(sprintf(text(format), args)),
  },
  html: { params: ["any"], variadic: true, run: (args) => string(escapeHtml(sprint(args))) },
  js: { params: ["any"], variadic: true, run: (args) => string(escapeJs(sprint(args))) },
  urlquery: { params: ["any"], variadic: true, run: (args) => string(escapeQuery(sprint(args))) },
  eq: { params: ["any", "any"], variadic: true, run: ([first, ...rest]) => bool(equalsAny(first, rest)) },
  ne: { params: ["any", "any"], run: ([a, b]) => bool(!equalsAny(a, [b])) },
  lt: { params: ["any", "any"], run: ([a, b]) => bool(compare(a, b) < 0) },
  le: { params: ["any", "any"], run: ([a, b]) => bool(compare(a, b) <= 0) },
  gt: { params: ["any", "any"], run: ([a, b]) => bool(compare(a, b) > 0) },
  ge: { params: ["any", "any"], run: ([a, b]) => bool(compare(a, b) >= 0) },

  json: { params: ["any"], run: ([value]) => string(jsonOf(value)) },
  split: { params: ["string", "string"], run: ([value, separator]) => natural(text(value).split(text(separator))) },
  join: { params: ["[]string", "string"], run: ([list, separator]) => string(join(list, text(separator))) },
  lower: stringFunction((value) => value.toLowerCase()),
  upper: stringFunction((value) => value.toUpperCase()),
  // strings.Title: the first letter of each word, where words begin after what is neither letter, digit, _ nor '.
  title: stringFunction((value) => value.replace(/(?<![\p{L}\p{Nd}_'])\p{L}/gu, (letter) => letter.toUpperCase())),
  pad: {
    params: ["string", "int", "int"],
    run: ([value, before, after]) => {
      const source = text(value);
      return string(source === "" ? source : " ".repeat(int(before)) + source + " ".repeat(int(after)));
    },
  },
  truncate: { params: ["string", "int"], run: ([value, count]) => string(truncate(text(value), int(count))) },
};

const sameText: TemplateFunction = { params: ["string"], run: ([value]) => value };

/** In the header of a table these leave the column's title as it is. */
export const headerFunctions: Readonly<Record<string, TemplateFunction>> = {
  ...builtins,
  json: sameText,
  title: sameText,
  lower: sameText,
  upper: sameText,
  truncate: { params: ["string", "int"], run: ([value]) => value },
  split: { params: ["string", "string"], run: ([value]) => value },
  join: { params: ["string", "string"], run: ([value]) => value },
};

function truncate(value: string, count: number): string {
  return Buffer.byteLength(value) < count ? value : Buffer.from(value).subarray(0, count).toString();
}

function join(list: Val, separator: string): string {
  const inner = resolve(list);
  return inner ? asList(inner).map(String).join(separator) : "";
}

function notNil(val: Val, message: string): ValidVal {
  const inner = resolve(val);
  if (!inner) throw new Error(message);
  return inner;
}

function length(val: Val): number {
  if (!resolve(val)) throw new Error("len of nil pointer");
  if (isNilPointer(val)) throw new Error("len of nil pointer");
  const inner = indirect(resolve(val)) as ValidVal;
  if (inner.type.kind === "string") return Buffer.byteLength(text(inner));
  if (inner.type.kind === "slice") return asList(inner).length;
  if (inner.type.kind === "map") return Object.keys(asMap(inner)).length;
  throw new Error(`len of type ${inner.type.name}`);
}

function index(container: Val, key: Val): ValidVal | undefined {
  const item = indirect(notNil(container, "index of untyped nil")) as ValidVal;
  if (isNilPointer(item)) throw new Error("index of nil pointer");
  const by = resolve(key);
  if (item.type.kind === "map") {
    if (by?.type.kind !== "string") {
      throw new Error(
        by ? `value has type ${by.type.name}; should be string` : "value is nil; should be of type string",
      );
    }
    return zeroAware(elemType(item), asMap(item)[text(by)]);
  }
  const isText = item.type.kind === "string";
  if (item.type.kind !== "slice" && !isText) throw new Error(`can't index item of type ${item.type.name}`);
  if (by?.type.kind !== "int") {
    throw new Error(by ? `cannot index slice/array with type ${by.type.name}` : "cannot index slice/array with nil");
  }
  const bytes = isText ? [...Buffer.from(text(item))] : asList(item);
  if (int(by) < 0 || int(by) >= bytes.length) throw new Error(`index out of range: ${int(by)}`);
  return isText ? typed({ kind: "int", name: "uint8" }, bytes[int(by)]) : zeroAware(elemType(item), bytes[int(by)]);
}

/** A nil `interface {}` is the invalid value; any other type has a zero of its own. */
function zeroAware(type: ValidVal["type"], value: unknown): ValidVal | undefined {
  return resolve(typed(type, value));
}

function sliceOf(val: Val, indexes: Val[]): Val {
  const item = indirect(notNil(val, "slice of untyped nil")) as ValidVal;
  if (indexes.length > 3) throw new Error(`too many slice indexes: ${indexes.length}`);
  const isText = item.type.kind === "string";
  if (isText && indexes.length === 3) throw new Error("cannot 3-index slice a string");
  if (!isText && item.type.kind !== "slice") throw new Error(`can't slice item of type ${item.type.name}`);
  const whole = isText ? Buffer.from(text(item)) : asList(item);
  const bounds = indexes.map((each) => {
    const by = resolve(each);
    if (by?.type.kind !== "int")
      throw new Error(`cannot index slice/array with ${by ? `type ${by.type.name}` : "nil"}`);
    if (int(by) < 0 || int(by) > whole.length) throw new Error(`index out of range: ${int(by)}`);
    return int(by);
  });
  const [from = 0, to = whole.length] = bounds;
  if (from > to) throw new Error(`invalid slice index: ${from} > ${to}`);
  return isText ? string((whole as Buffer).subarray(from, to).toString()) : typed(item.type, whole.slice(from, to));
}

type Basic = "bool" | "number" | "string" | undefined;

function basicKind(val: Val): Basic {
  const kind = val?.type.kind;
  if (kind === "bool" || kind === "string") return kind;
  return kind === "int" || kind === "float" ? "number" : undefined;
}

function equalsAny(first: Val, rest: Val[]): boolean {
  if (rest.length === 0) throw new Error("missing argument for comparison");
  const a = resolve(first);
  return rest.some((other) => {
    const b = resolve(other);
    const mixedNumbers = basicKind(a) === "number" && a?.type.kind !== b?.type.kind;
    if (basicKind(a) !== basicKind(b) || mixedNumbers) {
      if (a && b) throw incomparable(a, b);
      return false;
    }
    switch (basicKind(a)) {
      case "string":
        return text(a) === text(b);
      case "bool":
        return Boolean(a?.value) === Boolean(b?.value);
      case "number":
        return (
          BigInt(Math.trunc(int(a))) === BigInt(Math.trunc(int(b))) && Number(a?.value ?? 0) === Number(b?.value ?? 0)
        );
    }
    return equalsComposite(a, b);
  });
}

function equalsComposite(a: Val, b: Val): boolean {
  const isNil = (val: Val) => !val || val.value === null || val.value === undefined;
  if (isNil(a) || isNil(b)) return isNil(a) === isNil(b);
  if (a?.type.kind === "slice" || a?.type.kind === "map") {
    throw new Error(`non-comparable type ${formatValue(a, 0)}: ${typeName(a)}`);
  }
  return a?.value === b?.value;
}

function incomparable(a: Val, b: Val): Error {
  return new Error(`incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`);
}

function compare(first: Val, second: Val): number {
  const a = resolve(first);
  const b = resolve(second);
  const kind = basicKind(a);
  if (kind === undefined || basicKind(b) === undefined || kind === "bool")
    throw new Error("invalid type for comparison");
  if (kind !== basicKind(b) || (kind === "number" && a?.type.kind !== b?.type.kind)) {
    throw incomparable(a, b);
  }
  if (kind === "string") return Buffer.compare(Buffer.from(text(a)), Buffer.from(text(b)));
  return Number(a?.value ?? 0) - Number(b?.value ?? 0);
}

const htmlEntities: Record<string, string> = {
  '"': "&#34;",
  "'": "&#39;",
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "\0": "\uFFFD",
};

function escapeHtml(value: string): string {
  return value.replace(/["'&<>\0]/g, (c) => htmlEntities[c] as string);
}

function escapeJs(value: string): string {
  return value.replace(/[\\'"<>&=\0-\x1f]/g, (c) => {
    if (c === "\\" || c === "'" || c === '"') return `\\${c}`;
    return `\\u${(c.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0")}`;
  });
}

/** url.QueryEscape. */
function escapeQuery(value: string): string {
  return encodeURIComponent(value)
    .replaceAll("%20", "+")
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Items that `range` walks, each with its index or key. Undefined: not a thing to walk. */
export function rangeItems(val: Val): { key: ValidVal; item: Val }[] | undefined {
  const inner = indirect(resolve(val));
  if (!inner) return undefined;
  const elem = elemType(inner);
  switch (inner.type.kind) {
    case "slice":
      return asList(inner).map((item, i) => ({ key: typed(intType, i), item: typed(elem, item) }));
    case "map": {
      const map = asMap(inner);
      return sortedKeys(map).map((key) => ({ key: string(key), item: typed(elem, map[key]) }));
    }
    case "int":
      return Array.from({ length: Math.max(0, int(inner)) }, (_, i) => ({
        key: typed(intType, i),
        item: typed(intType, i),
      }));
    default:
      return undefined;
  }
}
