/**
 * Where legacy plugins are found: sockets in one directory, addresses in files of two others, all Docker's own.
 * https://docs.docker.com/engine/extend/plugin_api/#plugin-discovery
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { errorCode, errorMessage, internal } from "../base/errors.ts";

export interface PluginAddress {
  /** Of `unix://` and `tcp://`. */
  unix?: string;
  host?: string;
  tls?: { verify: boolean; ca?: string; cert?: string; key?: string };
}

export interface PluginDirectories {
  sockets: string;
  specs: readonly string[];
}

export const pluginDirectories: PluginDirectories = {
  sockets: "/run/docker/plugins",
  specs: ["/etc/docker/plugins", "/usr/lib/docker/plugins"],
};

/** Undefined for what is not there. Throws for a file that says no address. */
export function findPlugin(name: string, { sockets, specs }: PluginDirectories): PluginAddress | undefined {
  if (name === "" || name.includes("/") || name.startsWith(".")) return undefined;
  const socket = candidates(sockets, name, ".sock").find(isSocket);
  if (socket !== undefined) return { unix: socket };
  for (const directory of specs) {
    for (const path of candidates(directory, name, ".spec")) {
      const text = readIfThere(path);
      if (text !== undefined) return parseAddress(text.trim());
    }
    for (const path of candidates(directory, name, ".json")) {
      const text = readIfThere(path);
      if (text !== undefined) return parseJsonSpec(text, path);
    }
  }
  return undefined;
}

/** Names of all that is there, sorted. */
export function listPlugins({ sockets, specs }: PluginDirectories): string[] {
  const names = new Set<string>();
  for (const name of entries(sockets, [".sock"])) names.add(name);
  for (const directory of specs) for (const name of entries(directory, [".spec", ".json"])) names.add(name);
  return [...names].sort();
}

function candidates(directory: string, name: string, ending: string): string[] {
  return [join(directory, `${name}${ending}`), join(directory, name, `${name}${ending}`)];
}

function entries(directory: string, endings: string[]): string[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return [];
    throw error;
  }
  return names.flatMap((name) => {
    const ending = endings.find((one) => name.endsWith(one));
    if (ending !== undefined) return [basename(name, ending)];
    return endings.some((one) => existsSync(join(directory, name, `${name}${one}`))) ? [name] : [];
  });
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

function parseAddress(text: string): PluginAddress {
  const [, scheme, rest = ""] = /^([a-z]+):\/\/(.+)$/.exec(text) ?? [];
  if (scheme === "unix") return { unix: rest };
  if (scheme === "tcp" || scheme === "http") return { host: rest };
  if (scheme === "https") return { host: rest, tls: { verify: true } };
  throw internal("unknown protocol");
}

interface JsonSpec {
  Addr?: string;
  TLSConfig?: { InsecureSkipVerify?: boolean; CAFile?: string; CertFile?: string; KeyFile?: string } | null;
}

function parseJsonSpec(text: string, path: string): PluginAddress {
  let spec: JsonSpec;
  try {
    spec = JSON.parse(text) as JsonSpec;
  } catch (error) {
    throw internal(`${path}: ${errorMessage(error)}`, { cause: error });
  }
  const address = parseAddress(spec.Addr ?? "");
  const given = spec.TLSConfig;
  if (!given || address.unix !== undefined) return address;
  const read = (file: string | undefined) => (file ? readFileSync(file, "utf8") : undefined);
  const [ca, cert, key] = [given.CAFile, given.CertFile, given.KeyFile].map(read);
  // As Docker has it: without an authority nothing can be checked.
  const verify = ca !== undefined && !given.InsecureSkipVerify;
  return { ...address, tls: { verify, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) } };
}
