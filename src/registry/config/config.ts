/**
 * The registry's configuration: one table of keys. Each can stand in the file (YAML or JSON, nested at the dots), in the environment
 * (`GANTRY_REGISTRY_TLS_CERTIFICATE`) and on the command line (`--tls-certificate`); the later of these wins. Lists are JSON in the latter
 * two. Anything unknown is an error.
 */
import { readFileSync } from "node:fs";
import { errorMessage, invalidArgument } from "../../base/errors.ts";
import { maxManifestSize } from "../../oci/manifest.ts";
import { type ConfigKey, configKeys, type Key, type RegistryConfig } from "./keys.ts";

export { configKeys, type RegistryConfig } from "./keys.ts";

type Values = Partial<Record<ConfigKey, unknown>>;

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
  validateAccess(config);
  if (config.database !== "" && !/^postgres(ql)?:\/\//.test(config.database)) {
    throw invalidArgument("database: must be a postgres:// URL");
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

function validateAccess(config: RegistryConfig): void {
  const mode = config["access.mode"];
  if (!["", "anonymous", "basic", "token"].includes(mode)) {
    throw invalidArgument(`access.mode: ${mode} is not one of anonymous, basic, token`);
  }
  const users = config["access.htpasswd"] !== "";
  if (mode === "basic" && !users) throw invalidArgument("access.htpasswd must be given with access.mode basic");
  if (mode === "token") {
    const keys = config["access.token.rootcertbundle"] + config["access.token.jwks"];
    if (!users && (keys === "" || config["access.token.realm"] === "")) {
      throw invalidArgument(
        "access.mode token needs access.htpasswd for the built-in token server, or access.token.realm with access.token.rootcertbundle or access.token.jwks for another",
      );
    }
    if (!["ES256", "RS256"].includes(config["access.token.algorithm"])) {
      throw invalidArgument(`access.token.algorithm: ${config["access.token.algorithm"]} is not one of ES256, RS256`);
    }
    if (config["access.token.lifetime"] < 60)
      throw invalidArgument("access.token.lifetime: must be at least 60 seconds");
    if (config["access.token.rotate"] < 60) throw invalidArgument("access.token.rotate: must be at least 60 seconds");
  }
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
function convert(name: ConfigKey, value: unknown, source: string): unknown {
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
  if (kind === "list") return readListKey(name, value, at);
  const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number) && number >= 0) return number;
  throw invalidArgument(`${at}: must be a whole number${kind === "count" ? "" : ` of ${kind}`}`);
}

function readListKey(name: ConfigKey, value: unknown, at: string): unknown {
  let items = value;
  if (typeof value === "string") {
    try {
      items = JSON.parse(value);
    } catch (error) {
      throw invalidArgument(`${at}: must be a list in JSON: ${errorMessage(error)}`, { cause: error });
    }
  }
  const { read } = configKeys[name] as Key<unknown>;
  return read?.(items, at);
}
