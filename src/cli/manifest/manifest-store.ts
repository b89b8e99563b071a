/** Lists on their way to a registry: `manifests/<list>/<manifest>` beside config.json, in docker's own format. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "../../base/errors.ts";
import { formatReference, parseReference, type Reference, withDefaultTag } from "../../oci/reference.ts";
import { CliError } from "../command.ts";
import type { CliContext } from "../context.ts";
import type { LocalManifest } from "./local-manifest.ts";

/** As the manifest commands read names: without tag or digest it is `latest`. */
export function normalizedReference(text: string): Reference {
  const reference = parseReference(text);
  return reference.digest === undefined ? withDefaultTag(reference) : reference;
}

export class ManifestStore {
  private readonly root: string;

  constructor(context: CliContext) {
    this.root = join(context.config.directory, "manifests");
  }

  has(list: Reference): boolean {
    return this.names(list) !== undefined;
  }

  /** The manifests of a list, by name. Throws in docker's words when there is no such list. */
  list(list: Reference): LocalManifest[] {
    const names = this.names(list);
    if (!names) throw new CliError(`No such manifest: ${formatReference(list)}`);
    return names.map((name) => read(join(this.directory(list), name)) as LocalManifest);
  }

  find(list: Reference, manifest: Reference): LocalManifest | undefined {
    return read(join(this.directory(list), fileName(manifest)));
  }

  save(list: Reference, manifest: Reference, value: LocalManifest): void {
    mkdirSync(this.directory(list), { recursive: true });
    writeFileSync(join(this.directory(list), fileName(manifest)), JSON.stringify(value), { mode: 0o644 });
  }

  remove(list: Reference): void {
    rmSync(this.directory(list), { recursive: true, force: true });
  }

  private names(list: Reference): string[] | undefined {
    try {
      return readdirSync(this.directory(list)).sort();
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  private directory(list: Reference): string {
    return join(this.root, fileName(list));
  }
}

function fileName(reference: Reference): string {
  return formatReference(reference).replaceAll(":", "-").replaceAll("/", "_");
}

function read(path: string): LocalManifest | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as LocalManifest;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw new CliError(`${path}: ${(error as Error).message}`);
  }
}
