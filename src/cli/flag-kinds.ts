/**
 * The kinds of flag values that the docker CLI has, as small immutable objects: how text becomes a value, how often it may be given, and
 * how help names it. A kind's `parse` throws an Error whose message is what pflag would print after `invalid argument …: `.
 */
import { formatGoDuration } from "../base/go-duration.ts";
import {
  type IntRange,
  int64Range,
  parseGoBool,
  parseGoDuration,
  parseGoInt,
  parseRamBytes,
  uint16Range,
  uint64Range,
} from "./values/go-values.ts";

export interface FlagKind<T> {
  /** What help shows after the name: `string`, `list`; empty for booleans. */
  readonly typeName: string;
  /** The new value, from the text and the value so far. */
  parse(text: string, previous: T): T;
  /** The default as help shows it; empty: none shown. */
  showDefault(value: T): string;
  /** The text meant by the flag without a value; undefined: a value is required. */
  readonly implied?: string;
}

export interface FlagSpec<T> {
  readonly kind: FlagKind<T>;
  readonly initial: T;
  /** The help text. */
  readonly usage: string;
  readonly short?: string;
  readonly hidden?: boolean;
  /** The sentence after "Flag --x has been deprecated, ". A deprecated flag is hidden from help. */
  readonly deprecated?: string;
  readonly shortDeprecated?: string;
  /** Another flag whose value this one sets (`--net` for `--network`). */
  readonly aliasOf?: string;
}

type Extras = Partial<Omit<FlagSpec<unknown>, "kind" | "initial" | "usage">>;

const boolKind: FlagKind<boolean> = {
  typeName: "",
  implied: "true",
  parse: (text) => parseGoBool(text),
  showDefault: (value) => (value ? "true" : ""),
};

const stringKind: FlagKind<string> = {
  typeName: "string",
  parse: (text) => text,
  showDefault: (value) => (value === "" ? "" : JSON.stringify(value)),
};

const integerKind = (typeName: string, range: IntRange): FlagKind<number> => ({
  typeName,
  parse: (text) => parseGoInt(text, range),
  showDefault: (value) => (value === 0 ? "" : String(value)),
});

const durationKind: FlagKind<number> = {
  typeName: "duration",
  parse: (text) => parseGoDuration(text),
  showDefault: (value) => (value === 0 ? "" : formatGoDuration(value)),
};

const bytesKind: FlagKind<number> = {
  typeName: "bytes",
  parse: (text) => parseRamBytes(text),
  showDefault: () => "",
};

/** A list kind whose every item passes through `validate` (which may rewrite it or throw). */
export function listKind(validate: (item: string) => string = (item) => item, typeName = "list"): FlagKind<string[]> {
  return {
    typeName,
    parse: (text, previous) => [...previous, validate(text)],
    showDefault: (value) => (value.length === 0 ? "" : `[${value.join(",")}]`),
  };
}

/** A kind whose items are parsed values. */
export function itemsKind<T>(typeName: string, parseItem: (text: string) => T, shown = ""): FlagKind<T[]> {
  return { typeName, parse: (text, previous) => [...previous, parseItem(text)], showDefault: () => shown };
}

/** `key=value` pairs, each passed through `validate` first; a missing `=` gives an empty value. */
export function mapKind(validate: (item: string) => string = (item) => item): FlagKind<Record<string, string>> {
  return {
    typeName: "map",
    parse: (text, previous) => {
      const [key, value] = splitPair(validate(text));
      return { ...previous, [key]: value };
    },
    showDefault: () => "map[]",
  };
}

/** `a=b=c` → `["a", "b=c"]`; without `=` the value is empty. */
export function splitPair(text: string): [string, string] {
  const at = text.indexOf("=");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** pflag's stringSlice: each occurrence is a comma-separated list, quoted parts allowed. */
const commaListKind: FlagKind<string[]> = {
  typeName: "strings",
  parse: (text, previous) => [...previous, ...splitCsv(text)],
  showDefault: (value) => (value.length === 0 ? "" : `[${value.join(",")}]`),
};

/** One CSV line → its fields, as Go's encoding/csv reads it. Throws with its words on bad quotes. */
export function splitCsv(text: string): string[] {
  if (text === "") return [];
  if (!text.includes('"')) return text.split(",");
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    const [field, end] = text[at] === '"' ? quotedField(text, at) : bareField(text, at);
    fields.push(field);
    if (end >= text.length) return fields;
    at = end + 1;
  }
}

function bareField(text: string, start: number): [string, number] {
  const comma = text.indexOf(",", start);
  const end = comma < 0 ? text.length : comma;
  const quote = text.slice(start, end).indexOf('"');
  if (quote >= 0) throw new Error(`parse error on line 1, column ${start + quote + 1}: bare " in non-quoted-field`);
  return [text.slice(start, end), end];
}

function quotedField(text: string, start: number): [string, number] {
  let field = "";
  let at = start + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) {
      throw new Error(`parse error on line 1, column ${text.length + 1}: extraneous or missing " in quoted-field`);
    }
    field += text.slice(at, quote);
    if (text[quote + 1] === '"') {
      field += '"';
      at = quote + 2;
    } else if (quote + 1 === text.length || text[quote + 1] === ",") {
      return [field, quote + 1];
    } else {
      throw new Error(`parse error on line 1, column ${quote + 1}: extraneous or missing " in quoted-field`);
    }
  }
}

const spec =
  <T>(kind: FlagKind<T>, initial: T) =>
  (usage: string, extras: Extras = {}): FlagSpec<T> => ({ kind, initial, usage, ...extras });

/** Builders: `flag.bool("Force it", { short: "f" })`. The flag's name is its key in the command's `flags`. */
export const flag = {
  bool: spec(boolKind, false),
  /** A boolean that is on unless switched off with `=false`. */
  boolOn: spec(boolKind, true),
  string: spec(stringKind, ""),
  stringWith: (initial: string, usage: string, extras: Extras = {}): FlagSpec<string> => ({
    kind: stringKind,
    initial,
    usage,
    ...extras,
  }),
  int: spec(integerKind("int", int64Range), 0),
  intWith: (initial: number, usage: string, extras: Extras = {}): FlagSpec<number> => ({
    kind: integerKind("int", int64Range),
    initial,
    usage,
    ...extras,
  }),
  uint64: spec(integerKind("uint", uint64Range), 0),
  uint16: spec(integerKind("uint16", uint16Range), 0),
  /** Nanoseconds. */
  duration: spec(durationKind, 0),
  /** `512m`; bytes. */
  bytes: spec(bytesKind, 0),
  /** Given any number of times (docker's ListOpts). */
  list: (usage: string, extras: Extras & { validate?: (item: string) => string } = {}): FlagSpec<string[]> => {
    const { validate, ...rest } = extras;
    return { kind: listKind(validate), initial: [], usage, ...rest };
  },
  /** pflag's stringArray. */
  stringArray: spec<string[]>(
    listKind((item) => item, "stringArray"),
    [],
  ),
  /** pflag's stringSlice: comma-separated. */
  commaList: spec<string[]>(commaListKind, []),
  map: (usage: string, extras: Extras & { validate?: (item: string) => string } = {}) => {
    const { validate, ...rest } = extras;
    return { kind: mapKind(validate), initial: {}, usage, ...rest } satisfies FlagSpec<Record<string, string>>;
  },
  /** docker's `--filter`, type `filter`: items kept as written (`name=value`). Throws on what lacks `=`. */
  filter: (usage: string, extras: Extras = {}): FlagSpec<string[]> => ({
    kind: listKind(validateFilter, "filter"),
    initial: [],
    usage,
    ...extras,
  }),
  of: <T>(kind: FlagKind<T>, initial: T, usage: string, extras: Extras = {}): FlagSpec<T> => ({
    kind,
    initial,
    usage,
    ...extras,
  }),
};

function validateFilter(text: string): string {
  if (text === "") return text;
  if (!text.includes("=")) throw new Error("bad format of filter (expected name=value)");
  const [name, value] = splitPair(text);
  return `${name.trim().toLowerCase()}=${value.trim()}`;
}
