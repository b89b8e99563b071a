/**
 * Every option of the daemon: its flag, its key in daemon.json, its kind. Names and meanings are dockerd's. An option of dockerd's that
 * is not built is known here too, so that it is refused by name rather than ignored.
 */
import { logFormats } from "../base/log.ts";
import { builderOption } from "./builder-option.ts";
import {
  addressPools,
  features,
  integer,
  ipAddress,
  ipv4Cidr,
  ipv6Cidr,
  type Kind,
  keyValue,
  list,
  mirrorUrl,
  networkOptions,
  oneOf,
  pairs,
  proxyUrl,
  runtimes,
  size,
  text,
  toggle,
  ulimits,
} from "./option-kinds.ts";

export interface Option {
  readonly flag: string;
  readonly short?: string;
  /** Key in daemon.json; undefined: only a flag. */
  readonly key?: string;
  readonly kind: Kind<unknown>;
  readonly help: string;
  /** Not built: any other value than these (dockerd's way of saying what this daemon does anyway) is refused. */
  readonly only?: readonly unknown[];
  /** Why, after `--flag`. */
  readonly why?: string;
}

type Extra = Pick<Option, "short" | "key" | "only" | "why">;

/** `key` is the flag's name unless said otherwise. */
function option<T>(flag: string, kind: Kind<T>, help: string, extra: Extra = {}): Option {
  return { flag, key: flag, kind: kind as Kind<unknown>, help, ...extra };
}

function flagOnly<T>(flag: string, kind: Kind<T>, help: string, extra: Extra = {}): Option {
  const { key: _, ...rest } = option(flag, kind, help, extra);
  return rest;
}

function notBuilt<T>(flag: string, kind: Kind<T>, extra: Extra = {}): Option {
  return option(flag, kind, "", { only: [], why: "is not built yet", ...extra });
}

export const logLevels = ["debug", "info", "warn", "error", "fatal"] as const;

const drivers = ["overlay2", "overlayfs"];

const built: Option[] = [
  option(
    "allow-direct-routing",
    toggle,
    "Allow remote access to published ports on container IP addresses (default false)",
  ),
  option("add-runtime", runtimes, "Register an additional OCI compatible runtime (NAME=PATH)", { key: "runtimes" }),
  option("bip", text(ipv4Cidr), "IPv4 address for the default bridge"),
  option("bip6", text(ipv6Cidr), "IPv6 address for the default bridge"),
  option("bridge", text(), "Attach containers to a network bridge (none: no default bridge)", { short: "b" }),
  option("builder", builderOption, ""),
  option("cdi-spec-dir", list(), "CDI specification directories to use (default /etc/cdi, /var/run/cdi)", {
    key: "cdi-spec-dirs",
  }),
  option("cgroup-parent", text(), "Set parent cgroup for all containers"),
  flagOnly("config-file", text(), "Daemon configuration file (default /etc/gantry/daemon.json)"),
  option("data-root", text(), "Root directory of persistent state (default /var/lib/gantry)"),
  option("debug", toggle, "Enable debug mode", { short: "D" }),
  option("default-address-pool", addressPools, "Default address pools for local networks (base=CIDR,size=BITS)", {
    key: "default-address-pools",
  }),
  option(
    "default-cgroupns-mode",
    text(oneOf(["host", "private"], (value) => `invalid default cgroup namespace (${value}): use "host" or "private"`)),
    'Default mode for containers cgroup namespace ("host" | "private")',
  ),
  option("default-gateway", text(ipAddress), "Default gateway IPv4 address for the default bridge network"),
  option("default-gateway-v6", text(ipAddress), "Default gateway IPv6 address for the default bridge network"),
  option(
    "default-ipc-mode",
    text(
      oneOf(
        ["private", "shareable"],
        (value) => `default IPC mode setting (${value}) is invalid; use "shareable" or "private"`,
      ),
    ),
    'Default mode for containers ipc ("shareable" | "private")',
  ),
  option("default-network-opt", networkOptions, "Default network options (DRIVER=OPTION=VALUE)", {
    key: "default-network-opts",
  }),
  option("default-runtime", text(), "Default OCI runtime for containers (default crun)"),
  option("default-shm-size", size, "Default shm size for containers (default 64MiB)"),
  option("default-ulimit", ulimits, "Default ulimits for containers (NAME=SOFT[:HARD])", { key: "default-ulimits" }),
  option("dns", list(ipAddress), "DNS server to use"),
  option("dns-opt", list(), "DNS options to use", { key: "dns-opts" }),
  option("dns-search", list(), "DNS search domains to use"),
  option(
    "exec-opt",
    list(
      oneOf(
        ["native.cgroupdriver=cgroupfs"],
        (value) => `exec option ${JSON.stringify(value)} is not supported: only native.cgroupdriver=cgroupfs is`,
      ),
    ),
    "Runtime execution options (native.cgroupdriver=cgroupfs)",
    { key: "exec-opts" },
  ),
  option("exec-root", text(), "Root directory for execution state files (default /run/gantry)"),
  option(
    "firewall-mode",
    text(
      oneOf(["docker", "input"], (value) => `invalid firewall mode ${JSON.stringify(value)}: use "docker" or "input"`),
    ),
    'Whether published ports pass by the host\'s INPUT rules, as with Docker, or obey them ("docker" | "input")',
  ),
  option("experimental", toggle, "Enable experimental features"),
  option("feature", features, "Enable or disable a feature of the daemon (NAME[=true|false]: cdi)", {
    key: "features",
  }),
  option("fixed-cidr", text(ipv4Cidr), "IPv4 subnet for the default bridge's containers"),
  option("fixed-cidr-v6", text(ipv6Cidr), "IPv6 subnet for the default bridge's containers"),
  option("group", text(), "Group for the unix socket (default gantry, or docker where that exists)", { short: "G" }),
  flagOnly("help", toggle, "Print usage"),
  option("host", list(), "Daemon socket(s) to connect to (default unix:///run/gantry.sock)", {
    short: "H",
    key: "hosts",
  }),
  option("host-gateway-ip", text(ipAddress), 'IP address that the special "host-gateway" in --add-host resolves to'),
  option("http-proxy", proxyUrl, "HTTP proxy URL to use for outgoing traffic"),
  option("https-proxy", proxyUrl, "HTTPS proxy URL to use for outgoing traffic"),
  option("icc", toggle, "Enable inter-container communication for the default bridge network (default true)"),
  option("init", toggle, "Run an init in the container to forward signals and reap processes"),
  option("init-path", text(), "Path to the init binary"),
  flagOnly("insecure", toggle, "Allow the API over TCP without TLS client certificates: anybody who connects is root"),
  option(
    "insecure-registry",
    list(),
    "Registry (host:port or CIDR) that may speak http or show an unknown certificate",
    {
      key: "insecure-registries",
    },
  ),
  option("ip", text(ipAddress), "Host IP for port publishing from the default bridge network (default 0.0.0.0)"),
  option("ip-forward", toggle, "Enable IP forwarding in system configuration (default true)"),
  option("ip-masq", toggle, "Enable IP masquerading for the default bridge network (default true)"),
  option("iptables", toggle, "Enable addition of packet filter rules (default true)"),
  option("ip6tables", toggle, "Enable addition of packet filter rules for IPv6 (default true)"),
  option("ipv6", toggle, "Enable IPv6 networking on the default bridge"),
  option("label", list(keyValue), "Set key=value labels to the daemon", { key: "labels" }),
  option("live-restore", toggle, "Containers outlive the daemon (default true)"),
  option("log-driver", text(), "Default driver for container logs (default json-file)"),
  option(
    "log-format",
    text(oneOf(logFormats, (value) => `invalid log format: ${value}`)),
    'Set the logging format ("text"|"json") (default text)',
  ),
  option(
    "log-level",
    text(oneOf(logLevels, (value) => `invalid logging level: ${value}`)),
    'Set the logging level ("debug"|"info"|"warn"|"error"|"fatal") (default info)',
    { short: "l" },
  ),
  option("log-opt", pairs, "Default log driver options for containers", { key: "log-opts" }),
  option("metrics-addr", text(), "Address and port to serve the metrics on"),
  option("max-concurrent-downloads", integer, "Set the max concurrent downloads (default 3)"),
  option("max-concurrent-uploads", integer, "Set the max concurrent uploads (default 5)"),
  option("max-download-attempts", integer, "Set the max download attempts for each pull (default 5)"),
  option("mtu", integer, 'Set the MTU for the default "bridge" network (default 1500)'),
  option("no-new-privileges", toggle, "Set no-new-privileges by default for new containers"),
  option("no-proxy", text(), "Comma-separated list of hosts or IP addresses for which the proxy is skipped"),
  option("pidfile", text(), "Path to use for daemon PID file (default /run/gantry.pid)", { short: "p" }),
  option("authorization-plugin", list(), "Authorization plugins to load", { key: "authorization-plugins" }),
  option("registry-mirror", list(mirrorUrl), "Preferred registry mirror of the Docker Hub (URL)", {
    key: "registry-mirrors",
  }),
  option("seccomp-profile", text(), 'Path to seccomp profile; "unconfined" to disable the default (builtin)'),
  option("shutdown-timeout", integer, "Seconds that requests in work get when the daemon ends (default 15)"),
  option("storage-driver", text(), "Storage driver to use (overlay2)", {
    short: "s",
    only: drivers,
    why: "knows only overlay2",
  }),
  option("tls", toggle, "Use TLS; implied by --tlsverify"),
  option("tlscacert", text(), "Trust certs signed only by this CA (default ~/.docker/ca.pem)"),
  option("tlscert", text(), "Path to TLS certificate file (default ~/.docker/cert.pem)"),
  option("tlskey", text(), "Path to TLS key file (default ~/.docker/key.pem)"),
  option("tlsverify", toggle, "Use TLS and verify the remote"),
  flagOnly("validate", toggle, "Validate daemon configuration and exit"),
  flagOnly("version", toggle, "Print version information and quit", { short: "v" }),
];

const unbuilt: Option[] = [
  notBuilt("api-cors-header", text(), { why: "has been removed: accessing the API through a browser is insecure" }),
  notBuilt("containerd", text(), { why: "has no meaning here: there is no containerd" }),
  notBuilt("containerd-namespace", text(), { why: "has no meaning here: there is no containerd" }),
  notBuilt("containerd-plugins-namespace", text(), { why: "has no meaning here: there is no containerd" }),
  notBuilt("cpu-rt-period", integer, { only: [0] }),
  notBuilt("cpu-rt-runtime", integer, { only: [0] }),
  notBuilt("cri-containerd", toggle, { only: [false], why: "has no meaning here: there is no containerd" }),
  notBuilt("ip-forward-no-drop", toggle, { only: [true], why: "is what this daemon always does" }),
  notBuilt("network-control-plane-mtu", integer),
  notBuilt("node-generic-resource", list(), { key: "node-generic-resources" }),
  notBuilt("raw-logs", toggle, { only: [true], why: "is what this daemon always does" }),
  notBuilt("rootless", toggle, { only: [false] }),
  notBuilt("selinux-enabled", toggle, { only: [false] }),
  notBuilt("storage-opt", list(), { key: "storage-opts" }),
  notBuilt("swarm-default-advertise-addr", text()),
  notBuilt("userland-proxy", toggle, { only: [false], why: "is not needed here: the kernel publishes all ports" }),
  notBuilt("userland-proxy-path", text(), { why: "is not needed here: the kernel publishes all ports" }),
  notBuilt("userns-remap", text()),
];

export const options: readonly Option[] = [...built, ...unbuilt];

/** The flags for `--help`. */
export function usage(): string {
  const lines = built
    .filter(({ help }) => help !== "")
    .map(({ flag, short, kind, help }) => {
      const value = kind.switch ? "" : kind.repeated ? " list" : ` ${kind.goType === "int" ? "int" : "string"}`;
      return `  ${short ? `-${short}, ` : "    "}--${`${flag}${value}`.padEnd(32)}${help}`;
    });
  return `\nUsage:  gantry daemon [OPTIONS]\n\nThe engine: runs containers and serves the Docker Engine API.\n\nOptions:\n${lines.join("\n")}\n`;
}
