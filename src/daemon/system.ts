/** Puts together what answers `info`, `version`, `df` and `events`, from the engine and the daemon's configuration. */
import { version } from "../base/version.ts";
import type { EventBus } from "../engine/events/event-bus.ts";
import type { RequestMetrics } from "../engine/system/request-metrics.ts";
import { System } from "../engine/system/system.ts";
import type { HostFacts } from "../linux/host-facts.ts";
import { readCdiDevices } from "../runtime/cdi/cdi-spec.ts";
import type { DaemonConfig } from "./config.ts";
import type { Engine } from "./engine.ts";
import { shownProxies } from "./proxies.ts";

/** Set by the build; absent when run from source. */
declare const GANTRY_COMMIT: string | undefined;
declare const GANTRY_BUILD_TIME: string | undefined;

/** What the engine says about itself, of the configuration as it is when it is asked. */
export function createSystem(parts: {
  config: DaemonConfig;
  engine: Engine;
  host: HostFacts;
  events: EventBus;
  requests: RequestMetrics;
  id: string;
  /** Of docker-init. */
  initPath: string;
  connections: () => number;
}): System {
  const { config, engine, host, events, requests, id, initPath, connections } = parts;
  return new System({
    ...{ id, version, host, events, requests, connections },
    commit: typeof GANTRY_COMMIT === "undefined" ? "" : GANTRY_COMMIT,
    buildTime: typeof GANTRY_BUILD_TIME === "undefined" ? "" : GANTRY_BUILD_TIME,
    config: {
      // May be reloaded.
      get debug() {
        return config.debug;
      },
      get labels() {
        return config.labels;
      },
      get liveRestore() {
        return config.liveRestore;
      },
      get preferBuildkit() {
        return config.preferBuildkit;
      },
      get noNewPrivileges() {
        return config.defaults.noNewPrivileges;
      },
      experimental: config.experimental,
      tcp: tcpAddresses(config),
      addressPools: config.network.defaultAddressPools ?? [],
      dataRoot: config.dataRoot,
      runtimes: config.runtimes,
      defaultRuntime: config.defaults.runtime,
      logDriver: config.defaults.logDriver,
      initBinary: initPath,
      firewall: config.network.iptables !== false,
      registry: config.registry,
      seccompProfile: config.defaults.seccomp?.name ?? "builtin",
      cdiSpecDirs: config.cdiSpecDirs,
      proxies: shownProxies(process.env),
    },
    cdiDevices: () => [...readCdiDevices(config.cdiSpecDirs).devices.keys()],
    containerStates: () => engine.store.list().map(({ record }) => record.state.status),
    imageCount: () => engine.images.records().length,
    listContainers: (options) => engine.containers.list(options),
    listImages: (options) => engine.images.list(options),
    plugins: () => ({ volume: engine.pluginDrivers.names(), authorization: config.authorizationPlugins }),
    volumesWithUsage: () => engine.volumes.withUsage(),
    layersSize: () => engine.images.layersSize(),
    buildCache: () => engine.builder.cacheRecords(),
  });
}

function tcpAddresses({ hosts, tls }: DaemonConfig) {
  const addresses = hosts.filter((host) => !/^(unix|fd):/.test(host)).map((host) => host.replace("tcp://", ""));
  return addresses.map((address) => ({ address, tls: tls !== undefined, verify: tls?.verify === true }));
}
