/** The flags that `run` and `create` share: one line for each, in the groups of the docker CLI. What they become is in `create-config.ts`. */
import { flag } from "../../flag-kinds.ts";
import * as kinds from "./config-kinds.ts";
import { mounts } from "./mount-kind.ts";
import { networks } from "./network-kind.ts";

const general = {
  attach: flag.list("Attach to STDIN, STDOUT or STDERR", { short: "a", validate: kinds.attachStream }),
  "device-cgroup-rule": flag.list("Add a rule to the cgroup allowed devices list", {
    validate: kinds.deviceCgroupRule,
  }),
  device: flag.list("Add a host device to the container"),
  gpus: flag.of(kinds.gpus, [], "GPU devices to add to the container ('all' to pass all GPUs)"),
  env: flag.list("Set environment variables", { short: "e", validate: kinds.envVariable }),
  "env-file": flag.list("Read in a file of environment variables"),
  entrypoint: flag.string("Overwrite the default ENTRYPOINT of the image"),
  "group-add": flag.list("Add additional groups to join"),
  hostname: flag.string("Container host name", { short: "h" }),
  domainname: flag.string("Container NIS domain name"),
  interactive: flag.bool("Keep STDIN open even if not attached", { short: "i" }),
  label: flag.list("Set meta data on a container", { short: "l", validate: kinds.label }),
  "label-file": flag.list("Read in a line delimited file of labels"),
  "read-only": flag.bool("Mount the container's root filesystem as read only"),
  restart: flag.stringWith("no", "Restart policy to apply when a container exits"),
  "stop-signal": flag.string("Signal to stop the container"),
  "stop-timeout": flag.int("Timeout (in seconds) to stop a container"),
  sysctl: flag.map("Sysctl options", { validate: kinds.sysctl }),
  tty: flag.bool("Allocate a pseudo-TTY", { short: "t" }),
  ulimit: flag.of(kinds.ulimits, {}, "Ulimit options"),
  user: flag.string("Username or UID (format: <name|uid>[:<group|gid>])", { short: "u" }),
  workdir: flag.string("Working directory inside the container", { short: "w" }),
  rm: flag.bool("Automatically remove the container and its associated anonymous volumes when it exits"),
};

const security = {
  "cap-add": flag.list("Add Linux capabilities"),
  "cap-drop": flag.list("Drop Linux capabilities"),
  privileged: flag.bool("Give extended privileges to this container"),
  "security-opt": flag.list("Security Options"),
  userns: flag.string("User namespace to use"),
  cgroupns: flag.string(
    [
      "Cgroup namespace to use (host|private)",
      "'host':    Run the container in the Docker host's cgroup namespace",
      "'private': Run the container in its own private cgroup namespace",
      "'':        Use the cgroup namespace as configured by the",
      "           default-cgroupns-mode option on the daemon (default)",
    ].join("\n"),
  ),
};

const networking = {
  "add-host": flag.list("Add a custom host-to-IP mapping (host:ip)", { validate: kinds.extraHost }),
  dns: flag.list("Set custom DNS servers", { validate: kinds.ipAddress }),
  "dns-opt": flag.list("Set DNS options", { hidden: true, aliasOf: "dns-option" }),
  "dns-option": flag.list("Set DNS options"),
  "dns-search": flag.list("Set custom DNS search domains", { validate: kinds.dnsSearch }),
  expose: flag.list("Expose a port or a range of ports"),
  ip: flag.string("IPv4 address (e.g., 172.30.100.104)"),
  ip6: flag.string("IPv6 address (e.g., 2001:db8::33)"),
  link: flag.list("Add link to another container", { validate: kinds.link }),
  "link-local-ip": flag.list("Container IPv4/IPv6 link-local addresses"),
  "mac-address": flag.string("Container MAC address (e.g., 92:d0:c6:0a:29:33)"),
  publish: flag.list("Publish a container's port(s) to the host", { short: "p" }),
  "publish-all": flag.bool("Publish all exposed ports to random ports", { short: "P" }),
  net: flag.of(networks, [], "Connect a container to a network", { hidden: true, aliasOf: "network" }),
  network: flag.of(networks, [], "Connect a container to a network"),
  "net-alias": flag.list("Add network-scoped alias for the container", { hidden: true, aliasOf: "network-alias" }),
  "network-alias": flag.list("Add network-scoped alias for the container"),
};

const storage = {
  "log-driver": flag.string("Logging driver for the container"),
  "log-opt": flag.list("Log driver options"),
  "volume-driver": flag.string("Optional volume driver for the container"),
  "storage-opt": flag.list("Storage driver options for the container"),
  tmpfs: flag.list("Mount a tmpfs directory"),
  "volumes-from": flag.list("Mount volumes from the specified container(s)"),
  volume: flag.list("Bind mount a volume", { short: "v" }),
  mount: flag.of(mounts, [], "Attach a filesystem mount to the container"),
};

const health = {
  "health-cmd": flag.string("Command to run to check health"),
  "health-interval": flag.duration("Time between running the check (ms|s|m|h) (default 0s)"),
  "health-retries": flag.int("Consecutive failures needed to report unhealthy"),
  "health-timeout": flag.duration("Maximum time to allow one check to run (ms|s|m|h) (default 0s)"),
  "health-start-period": flag.duration(
    "Start period for the container to initialize before starting health-retries countdown (ms|s|m|h) (default 0s)",
  ),
  "health-start-interval": flag.duration(
    "Time between running the check during the start period (ms|s|m|h) (default 0s)",
  ),
  "no-healthcheck": flag.bool("Disable any container-specified HEALTHCHECK"),
};

const resources = {
  "blkio-weight": flag.uint16("Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)"),
  "blkio-weight-device": flag.of(kinds.weightDevices, [], "Block IO weight (relative device weight)"),
  cidfile: flag.string("Write the container ID to the file"),
  "cpuset-cpus": flag.string("CPUs in which to allow execution (0-3, 0,1)"),
  "cpuset-mems": flag.string("MEMs in which to allow execution (0-3, 0,1)"),
  "cpu-count": flag.int("CPU count (Windows only)", { hidden: true }),
  "cpu-percent": flag.int("CPU percent (Windows only)", { hidden: true }),
  "cpu-period": flag.int("Limit CPU CFS (Completely Fair Scheduler) period"),
  "cpu-quota": flag.int("Limit CPU CFS (Completely Fair Scheduler) quota"),
  "cpu-rt-period": flag.int("Limit CPU real-time period in microseconds"),
  "cpu-rt-runtime": flag.int("Limit CPU real-time runtime in microseconds"),
  "cpu-shares": flag.int("CPU shares (relative weight)", { short: "c" }),
  cpus: flag.of(kinds.nanoCpus, 0, "Number of CPUs"),
  "device-read-bps": flag.of(kinds.throttleBps, [], "Limit read rate (bytes per second) from a device"),
  "device-read-iops": flag.of(kinds.throttleIops, [], "Limit read rate (IO per second) from a device"),
  "device-write-bps": flag.of(kinds.throttleBps, [], "Limit write rate (bytes per second) to a device"),
  "device-write-iops": flag.of(kinds.throttleIops, [], "Limit write rate (IO per second) to a device"),
  "io-maxbandwidth": flag.bytes("Maximum IO bandwidth limit for the system drive (Windows only)", { hidden: true }),
  "io-maxiops": flag.uint64("Maximum IOps limit for the system drive (Windows only)", { hidden: true }),
  "kernel-memory": flag.bytes("Kernel memory limit"),
  memory: flag.bytes("Memory limit", { short: "m" }),
  "memory-reservation": flag.bytes("Memory soft limit"),
  "memory-swap": flag.of(kinds.swapBytes, 0, "Swap limit equal to memory plus swap: '-1' to enable unlimited swap"),
  "memory-swappiness": flag.intWith(-1, "Tune container memory swappiness (0 to 100)"),
  "oom-kill-disable": flag.bool("Disable OOM Killer"),
  "oom-score-adj": flag.int("Tune host's OOM preferences (-1000 to 1000)"),
  "pids-limit": flag.int("Tune container pids limit (set -1 for unlimited)"),
};

const lowLevel = {
  "cgroup-parent": flag.string("Optional parent cgroup for the container"),
  ipc: flag.string("IPC mode to use"),
  isolation: flag.string("Container isolation technology"),
  pid: flag.string("PID namespace to use"),
  "shm-size": flag.bytes("Size of /dev/shm"),
  uts: flag.string("UTS namespace to use"),
  runtime: flag.string("Runtime to use for this container"),
  init: flag.bool("Run an init inside the container that forwards signals and reaps processes"),
  annotation: flag.map("Add an annotation to the container (passed through to the OCI runtime)"),
};

/** What a container is created from. */
export const configFlags = {
  ...general,
  ...security,
  ...networking,
  ...storage,
  ...health,
  ...resources,
  ...lowLevel,
};

/** How it is created; also both commands'. */
export const createFlags = {
  name: flag.string("Assign a name to the container"),
  quiet: flag.bool("Suppress the pull output", { short: "q" }),
  platform: flag.string("Set platform if server is multi-platform capable"),
  "disable-content-trust": flag.boolOn("Skip image verification"),
  "use-api-socket": flag.bool("Bind mount Docker API socket and required auth"),
  // Without a short form: -h is the host name here.
  help: flag.bool("Print usage"),
};
