/** `RUN --mount=…`. buildkit frontend/dockerfile/instructions/commands_runmount.go, whose messages these are. */
import { basename } from "node:path";
import { invalidArgument } from "../base/errors.ts";
import { parseGoBool } from "../base/go-bool.ts";
import type { MountKind, RunMount } from "./instructions.ts";
import { withSuggestion } from "./lint/suggest.ts";

const kinds = ["bind", "cache", "tmpfs", "secret", "ssh"];
const keys =
  "type from source target readonly id sharing required mode uid gid src dst ro rw readwrite destination size env".split(
    " ",
  );
const sizeUnits: Record<string, number> = { "": 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

type Field = [key: string, value: string | undefined];

/** What can be refused before variables are replaced. */
export function checkMount(text: string): void {
  if (text === "") throw invalidArgument("failed to parse csv mounts: EOF");
  for (const [key, value] of fieldsOf(text)) {
    if (key === "from" && /\$./.test(value ?? "")) {
      throw invalidArgument(`'${key}' doesn't support variable expansion, define alias stage instead`);
    }
  }
}

/** Variables replaced in the values, where a value that has commas then is still one. */
export function expandMount(text: string, word: (text: string) => string): string {
  const fields = fieldsOf(text).map(([key, value]) => (value === undefined ? key : `${key}=${word(value)}`));
  return fields.map((field) => (/[",]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(",");
}

/** Variables are replaced already. Throws `invalid-argument`. */
export function parseMount(text: string): RunMount {
  const fields = fieldsOf(text);
  const type = kindOf(fields.findLast(([key]) => key === "type")?.[1] ?? "bind");
  const mount: RunMount = { type, readOnly: false, required: false };
  let readOnlyGiven = false;
  for (const [key, value] of fields) {
    if (value === undefined && !["readonly", "ro", "readwrite", "rw", "required"].includes(key)) {
      throw invalidArgument(`invalid field '${key}' must be a key=value pair`);
    }
    const word = value ?? "";
    if (key === "type") continue;
    else if (key === "from") mount.from = word;
    else if (key === "source" || key === "src") mount.source = word;
    else if (key === "target" || key === "dst" || key === "destination") mount.target = word;
    else if (key === "id") mount.id = word;
    else if (key === "env") mount.env = word;
    else if (key === "readonly" || key === "ro" || key === "readwrite" || key === "rw") {
      mount.readOnly = truth(key, value) === (key === "ro" || key === "readonly");
      readOnlyGiven = true;
    } else if (key === "required" && (type === "secret" || type === "ssh")) mount.required = truth(key, value);
    else if (key === "size" && type === "tmpfs") mount.size = bytes(key, word);
    else if (key === "sharing") mount.sharing = sharing(word);
    else if (key === "mode") mount.mode = id(key, word, 8);
    else if (key === "uid") mount.uid = id(key, word, 10);
    else if (key === "gid") mount.gid = id(key, word, 10);
    else throw unexpected(key, word, type);
  }
  if (!readOnlyGiven) mount.readOnly = type !== "cache" && type !== "tmpfs";
  check(mount);
  return mount;
}

/** What a mount of a secret or of an SSH agent asks the client for. */
export function clientId({ type, id, source, target }: RunMount): string {
  if (type === "ssh") return id || "default";
  return source || id || basename(target ?? "");
}

/** One line of comma-separated values, `"` around those with commas. */
function fieldsOf(text: string): Field[] {
  const fields = [...text.matchAll(/("(?:[^"]|"")*"[^,]*|[^,]*)(?:,|$)/g)].map(([, field = ""]) => field);
  // The pattern also finds nothing behind the last field.
  if (!text.endsWith(",")) fields.pop();
  return fields.map((field) => {
    const plain = /^"(.*)"$/s.exec(field)?.[1]?.replaceAll('""', '"') ?? field;
    const [, key = "", value] = /^([^=]*)(?:=(.*))?$/s.exec(plain) ?? [];
    return [key.toLowerCase(), value];
  });
}

function kindOf(value: string): MountKind {
  const kind = value.toLowerCase();
  if (!kinds.includes(kind)) {
    throw invalidArgument(withSuggestion(`unsupported mount type ${JSON.stringify(value)}`, value, kinds));
  }
  return kind as MountKind;
}

function truth(key: string, value: string | undefined): boolean {
  const parsed = value === undefined || parseGoBool(value);
  if (parsed === undefined) throw invalidArgument(`invalid value for ${key}: ${value}`);
  return parsed;
}

function bytes(key: string, value: string): number {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)i?b?$/i.exec(value) ?? [];
  const factor = sizeUnits[unit.toLowerCase()];
  if (amount === undefined || factor === undefined) throw invalidArgument(`invalid value for ${key}: ${value}`);
  return Math.floor(Number(amount) * factor);
}

function sharing(value: string): "shared" | "private" | "locked" {
  const options = ["shared", "private", "locked"];
  if (!options.includes(value.toLowerCase())) {
    throw invalidArgument(withSuggestion(`unsupported sharing value ${JSON.stringify(value)}`, value, options));
  }
  return value.toLowerCase() as "shared";
}

function id(key: string, value: string, base: 8 | 10): number {
  if (!(base === 8 ? /^[0-7]+$/ : /^\d+$/).test(value)) throw invalidArgument(`invalid value ${value} for ${key}`);
  return Number.parseInt(value, base);
}

function unexpected(key: string, value: string, type: MountKind): Error {
  if (["required", "size"].includes(key)) {
    return invalidArgument(`unexpected key '${key}' for mount type '${type}'`);
  }
  return invalidArgument(withSuggestion(`unexpected key '${key}' in '${key}=${value}'`, key, keys));
}

function check(mount: RunMount): void {
  const { type } = mount;
  if (type === "bind" || type === "tmpfs") {
    for (const field of ["mode", "uid", "gid"] as const) {
      if (mount[field] !== undefined) throw invalidArgument(`${field} not allowed for "${type}" type mounts`);
    }
  }
  if (type === "secret") {
    if (mount.from) throw invalidArgument("secret mount should not have a from");
    if (mount.sharing) throw invalidArgument("secret mount should not define sharing");
    if (!mount.source && !mount.target && !mount.id) {
      throw invalidArgument("invalid secret mount. one of source, target required");
    }
    if (mount.source && mount.id) throw invalidArgument("both source and id can't be set");
  }
  if (mount.sharing && type !== "cache") throw invalidArgument(`invalid cache sharing set for ${type} mount`);
}
