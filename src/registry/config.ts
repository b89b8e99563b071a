/**
 * The registry's configuration: one table of keys. Each can stand in the file (YAML or JSON, nested at the dots), in the environment
 * (`GANTRY_REGISTRY_TLS_CERTIFICATE`) and on the command line (`--tls-certificate`); the later of these wins. Anything unknown is an error.
 */
import { readFileSync } from "node:fs";
import { errorMessage, invalidArgument } from "../base/errors.ts";
import { maxManifestSize } from "../oci/manifest.ts";

type Kind = "text" | "flag" | "bytes" | "seconds" | "count";

interface Key<T> {
  readonly kind: Kind;
  readonly default: T;
  readonly doc: string;
}

const key = <T extends string | number | boolean>(kind: Kind, initial: T, doc: string): Key<T> => ({
  kind,
  default: initial,
  doc,
});

export const configKeys = {
  listen: key<string>("text", ":5000", "address to serve on: `host:port`, `:port` for all interfaces"),
  root: key<string>("text", "./registry", "directory of blobs and database"),
  "tls.certificate": key<string>(
    "text",
    "",
    "file with the certificate chain (PEM); together with `tls.key` turns TLS on",
  ),
  "tls.key": key<string>("text", "", "file with the private key (PEM)"),
  "s3.bucket": key<string>("text", "", "bucket that holds the blobs, instead of `root`; the database stays in `root`"),
  "s3.endpoint": key<string>("text", "", "URL of the S3-compatible service; without it Amazon's"),
  "s3.region": key<string>("text", "us-east-1", "region of the bucket"),
  "s3.access-key": key<string>("text", "", "access key id"),
  "s3.secret-key": key<string>(
    "text",
    "",
    "secret access key; better in the environment or the file than on the command line",
  ),
  "s3.prefix": key<string>("text", "", "put before each object's key; ends in `/`"),
  "access.htpasswd": key<string>("text", "", "file of users with bcrypt hashes; without it everyone may pull and push"),
  "access.realm": key<string>("text", "Gantry Registry", "realm shown to clients that must log in"),
  "log.level": key<string>("text", "info", "`debug`, `info`, `warn` or `error`"),
  "log.access": key<boolean>("flag", true, "one line of JSON for each request on standard output"),
  "delete.enabled": key<boolean>("flag", true, "whether manifests, tags and blobs may be deleted over HTTP"),
  "limits.manifest": key<number>("bytes", maxManifestSize, "largest manifest; at most 4 MiB"),
  "limits.blob": key<number>("bytes", 0, "largest blob; 0 is no limit"),
  "limits.page": key<number>("count", 1000, "most entries of one page of tags, repositories or referrers"),
  "timeouts.idle": key<number>(
    "seconds",
    120,
    "a connection on which nothing moves for so long is closed; at most 255",
  ),
  "timeouts.shutdown": key<number>("seconds", 30, "how long requests under way may go on after SIGTERM"),
  "uploads.lifetime": key<number>("seconds", 86400, "an upload that nobody touched for so long is dropped"),
  "gc.interval": key<number>("seconds", 3600, "time between garbage collections; 0 is never"),
  "gc.lease": key<number>("seconds", 900, "how long a blob that a client was told exists is kept without a manifest"),
  "gc.untagged": key<boolean>("flag", false, "whether manifests that no tag, index or subject leads to are collected"),
};

export type ConfigKey = keyof typeof configKeys;
export type RegistryConfig = { readonly [K in ConfigKey]: (typeof configKeys)[K] extends Key<infer T> ? T : never };
type Values = Partial<Record<ConfigKey, string | number | boolean>>;

/** `argv` holds flags only. Throws `invalid-argument` that names the source and the key. */
export function loadConfig(argv: readonly string[], env: Record<string, string | undefined>): RegistryConfig {
  const { file, values: flags } = parseFlags(argv);
  const path = file ?? env["GANTRY_REGISTRY_CONFIG"];
  const values = { ...(path ? readConfigFile(path) : {}), ...readEnvironment(env), ...flags };
  const defaults = Object.entries(configKeys).map(([name, { default: value }]) => [name, value]);
  const config = { ...Object.fromEntries(defaults), ...values } as RegistryConfig;
  validate(config);
  return config;
}

function validate(config: RegistryConfig): void {
  if ((config["tls.certificate"] === "") !== (config["tls.key"] === "")) {
    throw invalidArgument("tls.certificate and tls.key must be given together");
  }
  if (config["s3.bucket"] !== "" && (config["s3.access-key"] === "" || config["s3.secret-key"] === "")) {
    throw invalidArgument("s3.access-key and s3.secret-key must be given with s3.bucket");
  }
  if (!/^$|\/$/.test(config["s3.prefix"])) throw invalidArgument("s3.prefix: must end in /");
  if (!["debug", "info", "warn", "error"].includes(config["log.level"])) {
    throw invalidArgument(`log.level: ${config["log.level"]} is not one of debug, info, warn, error`);
  }
  if (config["timeouts.idle"] > 255) throw invalidArgument("timeouts.idle: must be at most 255 seconds");
  if (config["limits.manifest"] > maxManifestSize) throw invalidArgument("limits.manifest: must be at most 4 MiB");
  if (config["limits.page"] < 1) throw invalidArgument("limits.page: must be at least 1");
  if (config["gc.lease"] < 1) throw invalidArgument("gc.lease: must be at least 1 second");
  parseListen(config.listen);
}

/** `host:port`, `[v6]:port` or `:port`. */
export function parseListen(text: string): { hostname: string | undefined; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65535) throw invalidArgument(`listen: ${text} is not host:port`);
  return { hostname: match[1] ?? (match[2] || undefined), port };
}

/** Parses the text of a configuration file: YAML, of which JSON is a part. */
export function parseConfig(text: string, source: string): Values {
  let parsed: unknown;
  try {
    parsed = Bun.YAML.parse(text);
  } catch (error) {
    throw invalidArgument(`${source}: ${errorMessage(error)}`, { cause: error });
  }
  const values: Values = {};
  collect(parsed ?? {}, "", source, values);
  return values;
}

function collect(node: unknown, prefix: string, source: string, values: Values): void {
  if (typeof node !== "object" || node === null || Array.isArray(node)) {
    throw invalidArgument(`${source}: ${prefix === "" ? "the file" : prefix} must be a mapping`);
  }
  for (const [name, value] of Object.entries(node)) {
    const path = prefix === "" ? name : `${prefix}.${name}`;
    if (isKey(path)) values[path] = convert(path, value, source);
    else if (Object.keys(configKeys).some((known) => known.startsWith(`${path}.`)))
      collect(value, path, source, values);
    else throw invalidArgument(`${source}: unknown key ${path}`);
  }
}

function readConfigFile(path: string): Values {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw invalidArgument(`cannot read configuration file: ${errorMessage(error)}`, { cause: error });
  }
  return parseConfig(text, path);
}

function readEnvironment(env: Record<string, string | undefined>): Values {
  const names = new Map(Object.keys(configKeys).map((name) => [environmentName(name), name as ConfigKey]));
  const values: Values = {};
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith("GANTRY_REGISTRY_") || variable === "GANTRY_REGISTRY_CONFIG" || text === undefined)
      continue;
    const name = names.get(variable);
    if (!name) throw invalidArgument(`environment: unknown variable ${variable}`);
    values[name] = convert(name, text, variable);
  }
  return values;
}

/** `tls.key` → `GANTRY_REGISTRY_TLS_KEY` */
export function environmentName(name: string): string {
  return `GANTRY_REGISTRY_${name.toUpperCase().replaceAll(/[.-]/g, "_")}`;
}

/** `tls.key` → `--tls-key` */
export function flagName(name: string): string {
  return `--${name.replaceAll(".", "-")}`;
}

function parseFlags(argv: readonly string[]): { file: string | undefined; values: Values } {
  const names = new Map(Object.keys(configKeys).map((name) => [flagName(name), name as ConfigKey]));
  const values: Values = {};
  let file: string | undefined;
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [flag = "", ...inline] = word.split("=");
    const name = names.get(flag);
    if (!name && flag !== "--config") throw invalidArgument(`unknown flag: ${word}`);
    const value =
      inline.length > 0 ? inline.join("=") : name && configKeys[name].kind === "flag" ? "true" : rest.shift();
    if (value === undefined) throw invalidArgument(`flag needs an argument: ${flag}`);
    if (name) values[name] = convert(name, value, flag);
    else file = value;
  }
  return { file, values };
}

function isKey(name: string): name is ConfigKey {
  return Object.hasOwn(configKeys, name);
}

/** Checks a value against the key's kind; text from the environment and flags is read as the kind says. */
function convert(name: ConfigKey, value: unknown, source: string): string | number | boolean {
  const { kind } = configKeys[name];
  const at = source.startsWith("--") || source.startsWith("GANTRY_") ? source : `${source}: ${name}`;
  if (kind === "text") {
    if (typeof value === "string") return value;
    throw invalidArgument(`${at}: must be text`);
  }
  if (kind === "flag") {
    if (typeof value === "boolean") return value;
    if (value === "true" || value === "false") return value === "true";
    throw invalidArgument(`${at}: must be true or false`);
  }
  const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number) && number >= 0) return number;
  throw invalidArgument(`${at}: must be a whole number${kind === "count" ? "" : ` of ${kind}`}`);
}
