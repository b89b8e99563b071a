/**
 * Volumes of the driver `local`: a record in the database and a directory `<root>/<name>/_data`. The directory comes before the
 * record and goes, by a rename, before it: a crash leaves at most a directory that nobody names, which `recover` clears.
 * Data that is copied or unpacked gathers beside the volumes (`stage`) and becomes a volume's by one rename (`adopt`, `replaceData`).
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import {
  conflict,
  EngineError,
  errorCode,
  internal,
  invalidArgument,
  notFound,
  withPrefix,
} from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import * as files from "../../linux/files.ts";
import type { Database } from "../../metadata/database.ts";
import { checkOptions } from "./drivers/local-options.ts";

export interface VolumeRecord {
  name: string;
  /** `local`, or a plugin's name: then nothing but this record is kept here. */
  driver: string;
  options?: Record<string, string> | null;
  /** Null: the API shows it so when none were given. */
  labels: Record<string, string> | null;
  /** RFC 3339, seconds. */
  createdAt: string;
  /** Until its directory has its name: the directory beside the volumes that holds the data. */
  staged?: string;
}

/** A directory to fill, beside the volumes. Disposing removes what is left of it; idempotent. */
export interface Staging extends AsyncDisposable {
  /** What becomes the volume's `_data`. */
  readonly path: string;
  /** Name of the directory that holds it. */
  readonly entry: string;
}

export interface VolumeRequest {
  /** Empty: a name is made up and the volume is anonymous. */
  name?: string;
  driver?: string;
  options?: Record<string, string> | null;
  labels?: Record<string, string> | null;
}

/** On volumes that were made without a name: what `volume prune` removes by default. */
export const anonymousLabel = "com.docker.volume.anonymous";

export const localDriver = "local";
const removedPrefix = ".removed-";
const stagedPrefix = ".staged-";

export class VolumeStore {
  /** Directory that holds one per volume. */
  readonly root: string;
  private readonly database: Database;

  constructor(database: Database, root: string) {
    this.database = database;
    this.root = root;
    mkdirSync(root, { recursive: true, mode: 0o701 });
  }

  /** Finishes removals and clears empty directories without a record, both left by a crash. */
  async recover(): Promise<void> {
    const records = new Map(this.list().map((record) => [record.name, record]));
    for (const record of records.values()) {
      if (record.staged === undefined) continue;
      if (existsSync(join(this.root, record.staged))) this.settle(record);
      else this.settled(record);
    }
    for (const entry of readdirSync(this.root)) {
      const left = entry.startsWith(removedPrefix) || entry.startsWith(stagedPrefix);
      if (left) await rm(join(this.root, entry), { recursive: true, force: true });
      else if (!records.has(entry)) removeEmpty(join(this.root, entry));
    }
    for (const { name, driver } of records.values()) {
      if (driver === localDriver) mkdirSync(this.dataPath(name), { recursive: true });
    }
  }

  find(name: string): VolumeRecord | undefined {
    const row = this.database.get<{ doc: string }>("SELECT doc FROM volumes WHERE name = ?", name);
    return row === undefined ? undefined : (JSON.parse(row.doc) as VolumeRecord);
  }

  get(name: string): VolumeRecord {
    const record = this.find(name);
    if (record === undefined) throw notFound(`get ${name}: no such volume`);
    return record;
  }

  list(): VolumeRecord[] {
    const rows = this.database.all<{ doc: string }>("SELECT doc FROM volumes ORDER BY name");
    return rows.map((row) => JSON.parse(row.doc) as VolumeRecord);
  }

  dataPath(name: string): string {
    return join(this.root, name, "_data");
  }

  /** Remembers a volume that a plugin keeps. */
  addForeign(record: VolumeRecord): void {
    this.database.run("INSERT OR IGNORE INTO volumes VALUES (?, ?)", record.name, JSON.stringify(record));
  }

  /** Idempotent: a volume that is there already is returned as it is, whatever is asked for, as in Docker. */
  create(request: VolumeRequest, anonymous = !request.name): { record: VolumeRecord; created: boolean } {
    const name = request.name || newId();
    checkRequest(name, request);
    const existing = this.find(name);
    if (existing !== undefined) return { record: existing, created: false };
    const record = newRecord(name, request, anonymous);
    makeDirectory(join(this.root, name), 0o701, name);
    makeDirectory(this.dataPath(name), 0o755, name);
    this.database.run("INSERT INTO volumes VALUES (?, ?)", name, JSON.stringify(record));
    return { record, created: true };
  }

  stage(): Staging {
    const entry = `${stagedPrefix}${newId()}`;
    const directory = join(this.root, entry);
    mkdirSync(directory, { mode: 0o701 });
    const path = join(directory, "_data");
    mkdirSync(path, { mode: 0o755 });
    return { entry, path, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
  }

  /** Makes a volume of staged data. From its record on it is there, whatever happens. Throws `conflict` when the name is taken. */
  adopt(request: VolumeRequest & { name: string }, { entry }: Staging): VolumeRecord {
    const { name } = request;
    checkRequest(name, request);
    if (this.find(name) !== undefined) throw conflict(`create ${name}: a volume of this name exists already`);
    removeEmpty(join(this.root, name));
    if (existsSync(join(this.root, name))) {
      throw conflict(`create ${name}: ${join(this.root, name)} holds data that no volume knows: move it away first`);
    }
    const record = newRecord(name, request);
    this.database.run("INSERT INTO volumes VALUES (?, ?)", name, JSON.stringify({ ...record, staged: entry }));
    this.settle({ ...record, staged: entry });
    return record;
  }

  /** Puts staged data in the place of a volume's own, at once; that goes with the staging. */
  replaceData(name: string, { path }: Staging): void {
    files.exchange(files.toRaw(path), files.toRaw(this.dataPath(name)));
  }

  /** Gives the staged directory of a new volume its name. */
  private settle(record: VolumeRecord): void {
    renameSync(join(this.root, record.staged ?? ""), join(this.root, record.name));
    this.settled(record);
  }

  private settled({ staged: _, ...record }: VolumeRecord): void {
    this.database.run("UPDATE volumes SET doc = ? WHERE name = ?", JSON.stringify(record), record.name);
  }

  /** Forgets a volume at once; resolves when its data is gone. Whether it is in use is the caller's to know. */
  async remove(name: string): Promise<void> {
    if (this.get(name).driver !== localDriver) {
      this.database.run("DELETE FROM volumes WHERE name = ?", name);
      return;
    }
    const grave = join(this.root, `${removedPrefix}${newId()}`);
    try {
      renameSync(join(this.root, name), grave);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
    }
    this.database.run("DELETE FROM volumes WHERE name = ?", name);
    await rm(grave, { recursive: true, force: true });
  }
}

/** RFC 3339, seconds. */
function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}

export function newRecord(name: string, request: VolumeRequest, anonymous = !request.name): VolumeRecord {
  const labels = anonymous ? { ...request.labels, [anonymousLabel]: "" } : (request.labels ?? null);
  return { name, driver: request.driver || localDriver, labels, options: request.options ?? null, createdAt: now() };
}

/** Throws for what cannot be a volume, in dockerd's words. */
export function checkRequest(name: string, { options }: VolumeRequest): void {
  const fail = (reason: string) => `create ${name}: ${reason}`;
  if (name.length === 1) {
    throw invalidArgument(fail("volume name is too short, names should be at least two alphanumeric characters"));
  }
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    const rule = `only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`;
    throw invalidArgument(
      fail(
        `${JSON.stringify(name)} includes invalid characters for a local volume name, ${rule}. If you intended to pass a host directory, use absolute path`,
      ),
    );
  }
  try {
    checkOptions(options ?? {});
  } catch (error) {
    throw error instanceof EngineError ? withPrefix(fail(""), error) : error;
  }
}

/** Docker sets no limit; but every listing reads all of it. */
const maxRecord = 1 << 20;

/** Throws `invalid-argument` for labels and options that are no description any more. */
export function checkRecordSize(name: string, { labels, options }: VolumeRequest): void {
  if (JSON.stringify([labels, options]).length <= maxRecord) return;
  throw invalidArgument(`create ${name}: labels and options are larger than ${maxRecord} bytes together`);
}

function makeDirectory(path: string, mode: number, name: string): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (errorCode(error) === "EEXIST") return;
    if (errorCode(error) === "ENAMETOOLONG") {
      throw internal(`create ${name}: mkdir ${path}: file name too long`, { cause: error });
    }
    throw error;
  }
}

function removeEmpty(directory: string): void {
  for (const path of [join(directory, "_data"), directory]) {
    try {
      rmdirSync(path);
    } catch {
      // Not empty or no directory: data that is not ours to judge.
    }
  }
}
