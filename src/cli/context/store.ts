/**
 * Docker's context store in `~/.docker/contexts`: `meta/ID/meta.json` and `tls/ID/ENDPOINT/*.pem`, where ID is the SHA-256 of the name. Both
 * programs share it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errorCode } from "../../base/errors.ts";
import { CliError } from "../command.ts";
import { contextId } from "../endpoint.ts";

export interface ContextMeta {
  Name: string;
  Metadata: { Description?: string };
  Endpoints: { docker?: { Host?: string; SkipTLSVerify: boolean } };
}

/** PEM texts by endpoint and file: `docker/ca.pem`. Other endpoints than `docker` are kept for whoever knows them. */
export type TlsFiles = Record<string, string>;

const namePattern = "^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$";

export class ContextStore {
  private readonly root: string;

  constructor(configDirectory: string) {
    this.root = join(configDirectory, "contexts");
  }

  metaPath(name: string): string {
    return join(this.root, "meta", contextId(name));
  }

  tlsPath(name: string): string {
    return join(this.root, "tls", contextId(name));
  }

  /** All contexts, sorted by name. */
  list(): ContextMeta[] {
    let ids: string[] = [];
    try {
      ids = readdirSync(join(this.root, "meta"));
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
    }
    const paths = ids.map((id) => join(this.root, "meta", id, "meta.json")).filter(existsSync);
    return paths.map(readMeta).sort((a, b) => (a.Name < b.Name ? -1 : 1));
  }

  has(name: string): boolean {
    return existsSync(join(this.metaPath(name), "meta.json"));
  }

  /** Throws CliError in docker's words when there is none. */
  get(name: string): ContextMeta {
    const path = join(this.metaPath(name), "meta.json");
    if (!existsSync(path)) {
      throw new CliError(`context "${name}": context not found: open ${path}: no such file or directory`);
    }
    return readMeta(path);
  }

  tls(name: string): TlsFiles {
    const folder = this.tlsPath(name);
    if (!existsSync(folder)) return {};
    const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
    const files = names.filter((file) => statSync(join(folder, file)).isFile());
    return Object.fromEntries(files.map((file) => [file, readFileSync(join(folder, file), "utf8")]));
  }

  /** Creates or replaces. */
  put(meta: ContextMeta, tls: TlsFiles): void {
    mkdirSync(this.metaPath(meta.Name), { recursive: true, mode: 0o755 });
    writeFileSync(join(this.metaPath(meta.Name), "meta.json"), JSON.stringify(meta), { mode: 0o644 });
    rmSync(this.tlsPath(meta.Name), { recursive: true, force: true });
    if (Object.keys(tls).length === 0) return;
    for (const [file, text] of Object.entries(tls)) {
      const path = join(this.tlsPath(meta.Name), file);
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(path, text, { mode: 0o600 });
    }
  }

  remove(name: string): void {
    rmSync(this.metaPath(name), { recursive: true, force: true });
    rmSync(this.tlsPath(name), { recursive: true, force: true });
  }
}

function readMeta(path: string): ContextMeta {
  return JSON.parse(readFileSync(path, "utf8")) as ContextMeta;
}

/** Throws CliError for a name that no new context may have. */
export function checkContextName(name: string): void {
  if (name === "") throw new CliError("context name cannot be empty");
  if (name === "default") throw new CliError('"default" is a reserved context name');
  if (!new RegExp(namePattern).test(name)) {
    throw new CliError(`context name "${name}" is invalid, names are validated against regexp "${namePattern}"`);
  }
}
