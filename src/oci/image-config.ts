/**
 * The image config: the JSON whose digest is the image's id. Docker's fields are a superset of OCI's.
 * https://github.com/opencontainers/image-spec/blob/main/config.md and moby's image/image.go
 */
import { invalidArgument } from "../base/errors.ts";
import { type Digest, isSha256 } from "./digest.ts";
import { asArray, asObject, asString, asStringMap, asStrings, type JsonObject, optional, parseJson } from "./json.ts";

/** How containers of the image run; the wire type `ContainerConfig` has the same fields. */
export interface ImageRunConfig {
  Hostname?: string;
  Domainname?: string;
  User?: string;
  AttachStdin?: boolean;
  AttachStdout?: boolean;
  AttachStderr?: boolean;
  ExposedPorts?: Record<string, object>;
  Tty?: boolean;
  OpenStdin?: boolean;
  StdinOnce?: boolean;
  Env?: string[] | null;
  Cmd?: string[] | null;
  Healthcheck?: {
    Test?: string[];
    Interval?: number;
    Timeout?: number;
    StartPeriod?: number;
    StartInterval?: number;
    Retries?: number;
  } | null;
  ArgsEscaped?: boolean;
  Image?: string;
  Volumes?: Record<string, object> | null;
  WorkingDir?: string;
  Entrypoint?: string[] | null;
  NetworkDisabled?: boolean;
  MacAddress?: string;
  OnBuild?: string[] | null;
  Labels?: Record<string, string> | null;
  StopSignal?: string;
  StopTimeout?: number | null;
  Shell?: string[] | null;
}

export interface ImageHistory {
  created?: string;
  author?: string;
  created_by?: string;
  comment?: string;
  empty_layer?: boolean;
}

export interface ImageConfig {
  architecture?: string;
  author?: string;
  comment?: string;
  config?: ImageRunConfig | null;
  container?: string;
  container_config?: ImageRunConfig;
  /** RFC 3339. */
  created?: string | null;
  docker_version?: string;
  history?: ImageHistory[];
  os?: string;
  "os.version"?: string;
  "os.features"?: string[];
  rootfs: { type: "layers"; diff_ids: Digest[] };
  variant?: string;
  /** The steps of a build that led to the image, for other daemons (src/builder/cache/cache-manifest.ts). */
  "gantry.cache.v0"?: object;
}

/** No real config comes near; protects the daemon's memory. */
export const maxConfigSize = 8 << 20;

/** Parses and checks what the engine reads; fields that it does not know are kept in the bytes, not here. Throws `invalid-argument`. */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const object = asObject(parseJson(bytes, "image config", maxConfigSize), "image config");
  const rootfs = optional(object["rootfs"], "rootfs", asObject);
  if (!rootfs) throw invalidArgument("invalid image JSON, no RootFS key");
  const diffIds = optional(rootfs["diff_ids"], "rootfs.diff_ids", asStrings) ?? [];
  for (const id of diffIds) if (!isSha256(id)) throw invalidArgument(`invalid diff ID "${id}" in the image config`);
  const config: ImageConfig = { rootfs: { type: "layers", diff_ids: diffIds } };
  for (const key of ["architecture", "author", "comment", "container", "created", "docker_version", "os"] as const) {
    const value = optional(object[key], key, asString);
    if (value !== undefined) config[key] = value;
  }
  for (const key of ["os.version", "variant"] as const) {
    const value = optional(object[key], key, asString);
    if (value) config[key] = value;
  }
  const run = optional(object["config"], "config", toRunConfig);
  if (run) config.config = run;
  const containerConfig = optional(object["container_config"], "container_config", toRunConfig);
  if (containerConfig) config.container_config = containerConfig;
  const history = optional(object["history"], "history", asArray);
  if (history) config.history = history.map((item, index) => toHistory(item, `history[${index}]`));
  return config;
}

function toHistory(value: unknown, what: string): ImageHistory {
  const object = asObject(value, what);
  const entry: ImageHistory = {};
  for (const key of ["created", "author", "created_by", "comment"] as const) {
    const text = optional(object[key], `${what}.${key}`, asString);
    if (text !== undefined) entry[key] = text;
  }
  if (object["empty_layer"] === true) entry.empty_layer = true;
  return entry;
}

const stringFields = ["Hostname", "Domainname", "User", "Image", "WorkingDir", "MacAddress", "StopSignal"];
const listFields = ["Env", "Cmd", "Entrypoint", "OnBuild", "Shell"];
const setFields = ["ExposedPorts", "Volumes"];
const booleanFields = [
  "AttachStdin",
  "AttachStdout",
  "AttachStderr",
  "Tty",
  "OpenStdin",
  "StdinOnce",
  "ArgsEscaped",
  "NetworkDisabled",
];

/** Checks the type of every known field of a run config and drops the unknown ones. */
export function toRunConfig(value: unknown, what: string): ImageRunConfig {
  const object = asObject(value, what);
  const config: JsonObject = {};
  const take = (keys: readonly string[], read: (value: unknown, what: string) => unknown) => {
    for (const key of keys) {
      const field = optional(object[key], `${what}.${key}`, read);
      if (field !== undefined) config[key] = field;
    }
  };
  take(stringFields, asString);
  take(listFields, asStrings);
  take(setFields, toSet);
  take(booleanFields, asBoolean);
  take(["Labels"], asStringMap);
  take(["StopTimeout"], asNumber);
  take(["Healthcheck"], toHealthcheck);
  return config as ImageRunConfig;
}

function toHealthcheck(value: unknown, what: string): NonNullable<ImageRunConfig["Healthcheck"]> {
  const object = asObject(value, what);
  const health: NonNullable<ImageRunConfig["Healthcheck"]> = {};
  const test = optional(object["Test"], `${what}.Test`, asStrings);
  if (test) health.Test = test;
  for (const key of ["Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"] as const) {
    const number = optional(object[key], `${what}.${key}`, asNumber);
    if (number !== undefined) health[key] = number;
  }
  return health;
}

/** A set of names, written by Go as a map to empty structs. */
function toSet(value: unknown, what: string): Record<string, object> {
  return Object.fromEntries(Object.keys(asObject(value, what)).map((key) => [key, {}]));
}

function asBoolean(value: unknown, what: string): boolean {
  if (typeof value === "boolean") return value;
  throw invalidArgument(`${what} must be true or false`);
}

function asNumber(value: unknown, what: string): number {
  if (typeof value === "number") return value;
  throw invalidArgument(`${what} must be a number`);
}

/**
 * The run config as Docker writes it into an image: Go's field order, zero values included, empty optional fields left out, so that
 * equal configs have equal bytes.
 */
export function toDockerRunConfig(config: ImageRunConfig): ImageRunConfig {
  const filled = <T extends object>(value: T | null | undefined) =>
    value && Object.keys(value).length > 0 ? value : undefined;
  const ports = filled(config.ExposedPorts);
  const shell = filled(config.Shell);
  return {
    Hostname: config.Hostname ?? "",
    Domainname: config.Domainname ?? "",
    User: config.User ?? "",
    AttachStdin: config.AttachStdin ?? false,
    AttachStdout: config.AttachStdout ?? false,
    AttachStderr: config.AttachStderr ?? false,
    ...(ports && { ExposedPorts: sorted(ports) }),
    Tty: config.Tty ?? false,
    OpenStdin: config.OpenStdin ?? false,
    StdinOnce: config.StdinOnce ?? false,
    Env: config.Env ?? null,
    Cmd: config.Cmd ?? null,
    ...(config.Healthcheck && { Healthcheck: config.Healthcheck }),
    ...(config.ArgsEscaped && { ArgsEscaped: true }),
    Image: config.Image ?? "",
    Volumes: config.Volumes ? sorted(config.Volumes) : null,
    WorkingDir: config.WorkingDir ?? "",
    Entrypoint: config.Entrypoint ?? null,
    ...(config.NetworkDisabled && { NetworkDisabled: true }),
    ...(config.MacAddress && { MacAddress: config.MacAddress }),
    OnBuild: config.OnBuild ?? null,
    Labels: config.Labels ? sorted(config.Labels) : null,
    ...(config.StopSignal && { StopSignal: config.StopSignal }),
    ...(typeof config.StopTimeout === "number" && { StopTimeout: config.StopTimeout }),
    ...(shell && { Shell: shell }),
  };
}

function sorted<T>(map: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The bytes of a config: top-level keys in alphabetical order, as dockerd writes them. */
export function encodeImageConfig(config: ImageConfig): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(sorted({ ...config })));
}
