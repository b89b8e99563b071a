/** What an image holds, read from `docker save`'s archive: its config, and the files that its layers add to the first one's. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ByteSource } from "../../src/archive/byte-source.ts";
import { TarReader } from "../../src/archive/tar/tar-reader.ts";

interface SavedConfig {
  config?: Record<string, unknown>;
  author?: string;
  architecture?: string;
  os?: string;
  history?: { created_by?: string; empty_layer?: boolean; author?: string; comment?: string }[];
}

export interface SavedImage {
  RepoTags: string[];
  Config: string;
  Layers: string[];
}

/** Name → what is there: type, mode, owner and content. */
type Tree = Map<string, string>;

const layers = new Map<string, { entries: [name: string, what: string][] }>();

/** `directory`: the unpacked archive. `kit`: without what BuildKit writes differently than any classic builder. */
export function describeImage(directory: string, image: SavedImage, kit: boolean): string[] {
  const {
    config,
    history = [],
    ...rest
  } = JSON.parse(readFileSync(join(directory, image.Config), "utf8")) as SavedConfig;
  const about = { ...pick(rest, ["author", "architecture", "os"]), ...known(config ?? {}, kit) };
  const steps = history
    .filter((_, index) => index > 0 || image.Layers.length !== history.length)
    .map(({ created_by = "", empty_layer }) => `${empty_layer ? "-" : "+"} ${withoutDigests(created_by)}`);
  return [JSON.stringify(about), ...(kit ? [] : steps), ...describeFiles(directory, image.Layers)];
}

function pick(object: object, names: string[]): object {
  return Object.fromEntries(Object.entries(object).filter(([name, value]) => names.includes(name) && value));
}

function known(config: Record<string, unknown>, kit: boolean): object {
  const left = new Set(["Hostname", "Image", ...(kit ? ["ArgsEscaped"] : [])]);
  const entries = Object.entries(config).filter(([name, value]) => !left.has(name) && value !== null && value !== "");
  return Object.fromEntries(entries.filter(([, value]) => value !== false).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function withoutDigests(text: string): string {
  return text.replace(/\b(file|dir|multi):[0-9a-f]{64}/g, "$1:<digest>");
}

function describeFiles(directory: string, names: readonly string[]): string[] {
  const [base = "", ...above] = names;
  const isBusybox = readLayer(directory, base).some(([name]) => name === "bin/busybox");
  const below: Tree = isBusybox ? apply(new Map(), readLayer(directory, base)) : new Map();
  let tree: Tree = new Map(below);
  for (const name of isBusybox ? above : names.filter(Boolean)) tree = apply(tree, readLayer(directory, name));
  const lines = [...tree].filter(([name, what]) => below.get(name) !== what).map(([name, what]) => `/${name} ${what}`);
  const gone = [...below.keys()].filter((name) => !tree.has(name) && !/^bin\//.test(name));
  return [...lines, ...gone.map((name) => `/${name} deleted`)].sort();
}

function apply(tree: Tree, entries: readonly [string, string][]): Tree {
  const result = new Map(tree);
  const remove = (name: string, itself: boolean) => {
    for (const known of result.keys())
      if ((itself && known === name) || known.startsWith(`${name}/`)) result.delete(known);
  };
  // Deletions are of what lies below, wherever the archive says so.
  for (const [name] of entries) {
    const [, parent = "", hidden = ""] = /^(.*\/)?\.wh\.([^/]*)$/.exec(name) ?? [];
    if (hidden === ".wh..opq") remove(parent.slice(0, -1), false);
    else if (hidden !== "") remove(parent + hidden, true);
  }
  for (const [name, what] of entries) {
    if (/(^|\/)\.wh\./.test(name)) continue;
    if (!what.startsWith("d")) remove(name, true);
    result.set(name, what);
  }
  return result;
}

function readLayer(directory: string, name: string): [string, string][] {
  const known = layers.get(name);
  if (known) return known.entries;
  const descriptor = openSync(join(directory, name), "r");
  const entries: [string, string][] = [];
  try {
    const reader = new TarReader(new ByteSource(descriptor));
    for (let entry = reader.next(); entry; entry = reader.next()) {
      const path = Buffer.from(entry.name, "latin1")
        .toString("latin1")
        .replace(/^\.?\//, "")
        .replace(/\/$/, "");
      if (path === "" || path === ".") continue;
      entries.push([path, whatIs(entry, digestOf(reader, entry))]);
    }
  } finally {
    closeSync(descriptor);
  }
  layers.set(name, { entries });
  return entries;
}

/** Of the file as it unpacks: holes are zeros. */
function digestOf(reader: TarReader, { size, ranges = [{ offset: 0, length: size }] }: Entry): string {
  const content = Buffer.alloc(size);
  const stored: Buffer[] = [];
  reader.content((chunk) => stored.push(Buffer.from(chunk)));
  const all = Buffer.concat(stored);
  let at = 0;
  for (const { offset, length } of ranges) {
    all.copy(content, offset, at, at + length);
    at += length;
  }
  return createHash("sha256").update(content).digest("hex").slice(0, 12);
}

type Entry = NonNullable<ReturnType<TarReader["next"]>>;

function whatIs(entry: Entry, digest: string): string {
  const { type, mode, uid, gid, size, linkName, deviceMajor, deviceMinor } = entry;
  const content = {
    file: size === 0 ? "empty" : `${size} ${digest}`,
    hardlink: `= ${linkName}`,
    symlink: `-> ${linkName}`,
    character: `${deviceMajor},${deviceMinor}`,
    block: `${deviceMajor},${deviceMinor}`,
    directory: "",
    fifo: "",
  }[type];
  const xattrs = [...entry.xattrs].map(([name, value]) => ` ${name}=${Buffer.from(value).toString("hex")}`).join("");
  const letter = { hardlink: "h", directory: "d", symlink: "l", file: "f", character: "c", block: "b", fifo: "p" }[
    type
  ];
  // The mode of a link means nothing.
  const bits = type === "symlink" ? "" : ` ${mode.toString(8)}`;
  return `${letter}${bits} ${uid}:${gid} ${content}${xattrs}`.trimEnd();
}
