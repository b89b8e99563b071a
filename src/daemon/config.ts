/**
 * The daemon's configuration: its flags and daemon.json, merged and checked, as plain values for `daemon.ts` to hand out. Everything
 * that is accepted has an effect; what is not built was refused by name.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { errorCode, errorMessage } from "../base/errors.ts";
import type { LogFormat, LogLevel } from "../base/log.ts";
import type { GcConfig } from "../builder/cache/gc-policy.ts";
import type { TransferLimits } from "../engine/images/images.ts";
import type { NetworkConfig } from "../engine/networks/settings/network-config.ts";
import type { RegistryConfig } from "../remote/endpoints.ts";
import type { DaemonDefaults } from "../runtime/spec/input.ts";
import { readConfigFile, refuseConflicts } from "./config-file.ts";
import { parseFlags, type Values } from "./flags.ts";
import { type AddressPool, OptionError, type RuntimeConfig, type UlimitConfig } from "./option-kinds.ts";
import { type Option, options, usage } from "./options.ts";
import type { Proxies } from "./proxies.ts";

export interface TlsConfig {
  /** Clients must show a certificate of this authority. */
  verify: boolean;
  /** Paths of PEM files. */
  ca: string;
  cert: string;
  key: string;
}

export interface DaemonConfig {
  /** `unix:///path`, `tcp://host:port`. */
  hosts: string[];
  tls: TlsConfig | undefined;
  /** TCP without client certificates is allowed. */
  insecure: boolean;
  /** Undefined: `gantry`, or `docker`, whichever exists. */
  group: string | undefined;
  dataRoot: string;
  execRoot: string;
  pidfile: string;
  /** Tells the daemons of one host apart; the default roots are `default`, others derive from the exec-root. */
  instance: string;
  configFile: string;
  logLevel: LogLevel;
  logFormat: LogFormat;
  debug: boolean;
  experimental: boolean;
  /** False: containers end with the daemon. */
  liveRestore: boolean;
  /** False: clients that have a choice are told to use the classic builder. */
  preferBuildkit: boolean;
  authorizationPlugins: string[];
  labels: string[];
  metricsAddress: string | undefined;
  /** Milliseconds that requests in work get at the end. */
  shutdownTimeoutMillis: number;
  cgroupParent: string;
  /** `--init-path`; undefined: the one that was found or shipped. */
  initPath: string | undefined;
  /** Always has `crun` and `runc`. */
  runtimes: Record<string, RuntimeConfig>;
  network: NetworkConfig;
  registry: RegistryConfig;
  transfers: TransferLimits;
  proxies: Proxies;
  /** Directories of the Container Device Interface; empty: it is off. */
  cdiSpecDirs: string[];
  builderGc: GcConfig;
  defaults: DaemonDefaults;
}

/** What the command line asks for. */
export type DaemonCommand =
  | { do: "run"; config: DaemonConfig }
  | { do: "validate"; config: DaemonConfig }
  | { do: "version" }
  | { do: "help"; text: string };

const defaultDataRoot = "/var/lib/gantry";
const defaultExecRoot = "/run/gantry";
const defaultConfigFile = "/etc/gantry/daemon.json";

/** Reads flags and daemon.json. Throws OptionError with the words to print. */
export function readDaemonCommand(argv: readonly string[]): DaemonCommand {
  const flags = parseFlags(argv);
  const get = reader(flags);
  if (get("help") === true) return { do: "help", text: usage() };
  if (get("version") === true) return { do: "version" };
  return { do: get("validate") === true ? "validate" : "run", config: loadConfig(flags) };
}

/** The configuration as it stands now: what SIGHUP reads again. */
export function reloadConfig(argv: readonly string[]): DaemonConfig {
  return loadConfig(parseFlags(argv));
}

function loadConfig(flags: Values): DaemonConfig {
  const named = reader(flags)("config-file") as string | undefined;
  const path = named ?? defaultConfigFile;
  refuseUnbuilt(flags, (option) => `--${option.flag}`);
  try {
    const file = readConfigFile(path, named !== undefined);
    if (file) {
      refuseConflicts(flags, file);
      refuseUnbuilt(file, (option) => JSON.stringify(option.key));
    }
    return toConfig(new Map([...(file ?? []), ...flags]), path);
  } catch (cause) {
    if (!(cause instanceof OptionError) || cause instanceof ConfigError) throw cause;
    throw new OptionError(`unable to configure the Docker daemon with file ${path}: ${cause.message}`, { cause });
  }
}

/** Wrong whatever the file says. */
class ConfigError extends OptionError {}

function refuseUnbuilt(values: Values, name: (option: Option) => string): void {
  for (const [option, value] of values) {
    if (option.only && !option.only.includes(value)) throw new ConfigError(`${name(option)} ${option.why}`);
  }
}

function reader(values: Values): (flag: string) => unknown {
  return (flag) => values.get(options.find((option) => option.flag === flag) as Option);
}

function toConfig(values: Values, configFile: string): DaemonConfig {
  const get = reader(values);
  const text = (flag: string) => (get(flag) as string | undefined) || undefined;
  const dataRoot = resolve(text("data-root") ?? defaultDataRoot);
  const execRoot = resolve(text("exec-root") ?? defaultExecRoot);
  const instance = dataRoot === defaultDataRoot && execRoot === defaultExecRoot ? "default" : shortHash(execRoot);
  const debug = get("debug") === true;
  const runtimes = withStandardRuntimes((get("add-runtime") as Record<string, RuntimeConfig> | undefined) ?? {});
  return {
    hosts: (get("host") as string[] | undefined) ?? ["unix:///run/gantry.sock"],
    tls: toTls(get),
    // As with dockerd, who says so in so many words means it.
    insecure: get("insecure") === true || get("tls") === false || get("tlsverify") === false,
    group: text("group"),
    dataRoot,
    execRoot,
    pidfile: resolve(text("pidfile") ?? (instance === "default" ? "/run/gantry.pid" : join(execRoot, "gantry.pid"))),
    instance,
    configFile,
    debug,
    experimental: get("experimental") === true,
    liveRestore: get("live-restore") !== false,
    preferBuildkit: featuresOf(get)["buildkit"] !== false,
    logFormat: (text("log-format") ?? "text") as LogFormat,
    logLevel: debug ? "debug" : ((text("log-level") ?? "info") as LogLevel),
    authorizationPlugins: (get("authorization-plugin") as string[] | undefined) ?? [],
    labels: checkedLabels((get("label") as string[] | undefined) ?? []),
    metricsAddress: text("metrics-addr"),
    shutdownTimeoutMillis: shutdownTimeout((get("shutdown-timeout") as number | undefined) ?? 15),
    cgroupParent: text("cgroup-parent") ?? (instance === "default" ? "/gantry" : `/gantry-${instance}`),
    initPath: text("init-path"),
    runtimes,
    network: toNetwork(get),
    registry: {
      mirrors: (get("registry-mirror") as string[] | undefined) ?? [],
      insecure: (get("insecure-registry") as string[] | undefined) ?? [],
    },
    builderGc: (get("builder") as GcConfig | undefined) ?? { enabled: false, defaultKeep: undefined, rules: undefined },
    proxies: { http: text("http-proxy"), https: text("https-proxy"), no: text("no-proxy") },
    cdiSpecDirs: cdiSpecDirs(get),
    transfers: {
      downloads: limit("max-concurrent-downloads", get, 3),
      uploads: limit("max-concurrent-uploads", get, 5),
      attempts: limit("max-download-attempts", get, 5),
    },
    defaults: toDefaults(get, runtimes),
  };
}

/** None with the feature off, or when told so by an empty name. */
function cdiSpecDirs(get: (flag: string) => unknown): string[] {
  if (featuresOf(get)["cdi"] === false) return [];
  const directories = (get("cdi-spec-dir") as string[] | undefined) ?? ["/etc/cdi", "/var/run/cdi"];
  return directories.filter((directory) => directory !== "");
}

function featuresOf(get: (flag: string) => unknown): Record<string, boolean> {
  return (get("feature") as Record<string, boolean> | undefined) ?? {};
}

/** 0 is the default, as in dockerd. */
function limit(flag: string, get: (flag: string) => unknown, standard: number): number {
  const value = (get(flag) as number | undefined) || standard;
  if (value < 0) throw new ConfigError(`invalid ${flag.replaceAll("-", " ")}: ${value}`);
  return value;
}

function toNetwork(get: (flag: string) => unknown): NetworkConfig {
  if (get("bip") && get("bridge")) {
    throw new ConfigError("You specified -b & --bip, mutually exclusive options. Please specify only one");
  }
  if (get("iptables") === false && get("icc") === false) {
    throw new ConfigError(
      "You specified --iptables=false with --icc=false. ICC=false uses iptables to function. Please set --icc or --iptables to true",
    );
  }
  if (get("iptables") === false && get("firewall-mode") === "input") {
    throw new ConfigError("--firewall-mode=input needs packet filter rules, and --iptables=false forbids them");
  }
  return {
    bridge: get("bridge") as string | undefined,
    bip: get("bip") as string | undefined,
    fixedCidr: get("fixed-cidr") as string | undefined,
    ipv6: get("ipv6") as boolean | undefined,
    bip6: get("bip6") as string | undefined,
    fixedCidrV6: get("fixed-cidr-v6") as string | undefined,
    defaultGateway: get("default-gateway") as string | undefined,
    defaultGatewayV6: get("default-gateway-v6") as string | undefined,
    allowDirectRouting: get("allow-direct-routing") as boolean | undefined,
    mtu: get("mtu") as number | undefined,
    firewallMode: get("firewall-mode") as NetworkConfig["firewallMode"],
    iptables: get("iptables") as boolean | undefined,
    ip6tables: get("ip6tables") as boolean | undefined,
    ipForward: get("ip-forward") as boolean | undefined,
    ipMasq: get("ip-masq") as boolean | undefined,
    icc: get("icc") as boolean | undefined,
    defaultBindAddress: get("ip") as string | undefined,
    defaultAddressPools: get("default-address-pool") as AddressPool[] | undefined,
    defaultNetworkOptions: get("default-network-opt") as NetworkConfig["defaultNetworkOptions"],
    dns: get("dns") as string[] | undefined,
    dnsSearch: get("dns-search") as string[] | undefined,
    dnsOptions: get("dns-opt") as string[] | undefined,
    hostGatewayIp: get("host-gateway-ip") as string | undefined,
  };
}

function toDefaults(get: (flag: string) => unknown, runtimes: Record<string, RuntimeConfig>): DaemonDefaults {
  const runtime = (get("default-runtime") as string | undefined) || "crun";
  if (!Object.hasOwn(runtimes, runtime)) {
    throw new ConfigError(`specified default runtime '${runtime}' does not exist`);
  }
  const cgroupnsMode = get("default-cgroupns-mode") as "private" | "host" | undefined;
  return {
    runtime,
    runtimes: Object.keys(runtimes),
    logDriver: (get("log-driver") as string | undefined) || "json-file",
    logOpts: (get("log-opt") as Record<string, string> | undefined) ?? {},
    shmSize: (get("default-shm-size") as number | undefined) || 64 * 2 ** 20,
    ipcMode: (get("default-ipc-mode") as "private" | "shareable" | undefined) ?? "private",
    ...(cgroupnsMode === undefined ? {} : { cgroupnsMode }),
    init: get("init") === true,
    noNewPrivileges: get("no-new-privileges") === true,
    ...seccompDefault((get("seccomp-profile") as string | undefined) || "builtin"),
    ulimits: Object.values((get("default-ulimit") as Record<string, UlimitConfig> | undefined) ?? {}),
  };
}

/** The profile of containers that name none: of a file, the built-in one, or none. */
function seccompDefault(name: string): Pick<DaemonDefaults, "seccomp"> {
  if (name === "builtin") return {};
  if (name === "unconfined") return { seccomp: { name, profile: undefined } };
  try {
    return { seccomp: { name, profile: readFileSync(name, "utf8") } };
  } catch (cause) {
    const reason = errorCode(cause) === "ENOENT" ? "no such file or directory" : errorMessage(cause);
    throw new ConfigError(`opening seccomp profile (${name}) failed: open ${name}: ${reason}`, { cause });
  }
}

/** `--tls` alone encrypts; `--tlsverify` also wants client certificates. `--tlsverify=false` counts as TLS, as in dockerd. */
function toTls(get: (flag: string) => unknown): TlsConfig | undefined {
  if (get("tls") !== true && get("tlsverify") === undefined) return undefined;
  const directory = process.env["DOCKER_CERT_PATH"] || join(homedir(), ".docker");
  return {
    verify: get("tlsverify") === true,
    ca: (get("tlscacert") as string | undefined) || join(directory, "ca.pem"),
    cert: (get("tlscert") as string | undefined) || join(directory, "cert.pem"),
    key: (get("tlskey") as string | undefined) || join(directory, "key.pem"),
  };
}

function withStandardRuntimes(added: Record<string, RuntimeConfig>): Record<string, RuntimeConfig> {
  const standard = { crun: { path: "crun", runtimeArgs: [] }, runc: { path: "runc", runtimeArgs: [] } };
  return { ...standard, ...added };
}

/** Labels of one key with several values are refused. */
function checkedLabels(labels: string[]): string[] {
  const seen = new Map<string, string>();
  for (const label of labels) {
    const [key = ""] = label.split("=", 1);
    const earlier = seen.get(key);
    if (earlier !== undefined && earlier !== label) {
      throw new OptionError(`conflict labels for ${key}=${earlier.slice(key.length + 1)} and ${label}`);
    }
    seen.set(key, label);
  }
  return [...new Set(labels)];
}

/** Negative: as long as it takes. */
function shutdownTimeout(seconds: number): number {
  return seconds < 0 ? Number.POSITIVE_INFINITY : seconds * 1000;
}

function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}
