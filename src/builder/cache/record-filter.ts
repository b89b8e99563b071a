/**
 * Filters of cache records, in both forms: Docker's (`id=abc`, `inuse`; dockerd's builder/builder-next/builder.go, toBuildkitPruneInfo) and
 * BuildKit's, which are containerd's (`type==regular,id~=^abc`; containerd's filters package, for `docker buildx du` and `prune`).
 */
import type { Filters } from "../../api/system.ts";
import { invalidArgument } from "../../base/errors.ts";
import type { CacheRecord } from "./items.ts";

export type RecordFilter = (record: CacheRecord) => boolean;

type Field = (record: CacheRecord) => string[];

const isSet = (value: boolean) => (value ? ["true"] : []);
const fields: Record<string, Field> = {
  id: ({ ID }) => [ID],
  parent: ({ Parents }) => Parents ?? [],
  parents: ({ Parents }) => Parents ?? [],
  description: ({ Description }) => [Description],
  type: ({ Type }) => [Type],
  inuse: ({ InUse }) => isSet(InUse),
  shared: ({ Shared }) => isSet(Shared),
  private: ({ Shared }) => isSet(!Shared),
  mutable: ({ Type }) => isSet(Type !== "regular"),
  immutable: ({ Type }) => isSet(Type === "regular"),
};

/** Those that have a value to be found in, and those that are there or not. */
const valued = ["id", "parent", "description", "type"];
const flags = ["inuse", "shared", "private"];

/** Names of Docker's filters, without those of time. */
export const recordFilters: readonly string[] = [...valued, ...flags];

/** Throws for several values of one filter. `until` is not looked at. */
export function dockerFilter(filters: Filters): RecordFilter {
  const tests: RecordFilter[] = [];
  for (const name of recordFilters) {
    const values = filters[name] ?? [];
    if (values.length > 1) throw invalidArgument("filters expect only one value");
    if (values.length === 0) continue;
    const field = fields[name] as Field;
    const wanted = valued.includes(name) ? pattern(values[0] ?? "") : /./;
    tests.push((record) => field(record).some((value) => wanted.test(value)));
  }
  return (record) => tests.every((test) => test(record));
}

/** A record passes one of them; none: every one passes. Throws for what cannot be read. */
export function containerdFilter(filters: readonly string[]): RecordFilter {
  const tests = filters.filter((text) => text !== "").map(parseFilter);
  return tests.length === 0 ? () => true : (record) => tests.some((test) => test(record));
}

/** Selectors with commas between them, all of which must be true. */
function parseFilter(text: string): RecordFilter {
  const tests: RecordFilter[] = [];
  let rest = text;
  while (rest !== "") {
    const [whole, name = "", operator, quoted, plain = ""] = selector.exec(rest) ?? [];
    const field = fields[name];
    if (whole === undefined) throw invalidArgument(`cannot read the filter ${JSON.stringify(text)}`);
    if (!field) throw invalidArgument(`unknown field ${name} in the filter ${JSON.stringify(text)}`);
    tests.push(test(field, operator, quoted === undefined ? plain : (JSON.parse(quoted) as string)));
    rest = rest.slice(whole.length);
  }
  return (record) => tests.every((each) => each(record));
}

const selector = /^([a-z]+)(?:(==|~=|!=|=)(?:("(?:[^"\\]|\\.)*")|([^,]*)))?(?:,|$)/;

function test(field: Field, operator: string | undefined, value: string): RecordFilter {
  const matches = operator === "~=" ? pattern(value) : undefined;
  return (record) => {
    const values = field(record);
    if (operator === undefined) return values.length > 0;
    if (matches) return values.some((each) => matches.test(each));
    return values.includes(value) !== (operator === "!=");
  };
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw invalidArgument(`the filter's value ${JSON.stringify(text)} is no regular expression`);
  }
}
