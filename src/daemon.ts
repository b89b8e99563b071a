/**
 * `gantry daemon`: the composition root. Configuration, lock, engine, API, in this order; ended in reverse.
 */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { ChildContainerTree } from "./archive/trees/child-container-tree.ts";
import { errorMessage } from "./base/errors.ts";
import { Logger, type LogLevel } from "./base/log.ts";
import { version } from "./base/version.ts";
import { Buildkit } from "./buildkit/buildkit.ts";
import { BuildHistory } from "./buildkit/history/history.ts";
import { type DaemonConfig, readDaemonCommand, reloadConfig } from "./daemon/config.ts";
import { type Engine, openEngine } from "./daemon/engine.ts";
import { closeListeners, listen, listenForMetrics } from "./daemon/listeners.ts";
import { lockDaemon } from "./daemon/lock.ts";
import { applyProxies, shownProxies } from "./daemon/proxies.ts";
import { reloadOnHangup } from "./daemon/reload.ts";
import { createSystem } from "./daemon/system.ts";
import { EventBus } from "./engine/events/event-bus.ts";
import { RequestMetrics } from "./engine/system/request-metrics.ts";
import type { System } from "./engine/system/system.ts";
import { type HostFacts, readHostFacts } from "./linux/host-facts.ts";
import { goFirst } from "./linux/priority.ts";
import { sealProgram } from "./linux/sealed-program.ts";
import { inheritedDescriptors, isHostEnding, notifySystemd, takeNotifySocket } from "./linux/systemd.ts";
import { engineId } from "./metadata/engine-id.ts";
import { Authorization } from "./plugins/authorization.ts";
import { Plugins } from "./plugins/plugins.ts";
import { leanEnvironment } from "./runtime/lean-crun.ts";
import { OciRuntimes } from "./runtime/oci-runtime.ts";
import { noSystemdPath, relayPath, shimPath } from "./runtime/shim-binary.ts";
import { ShimPool } from "./runtime/shim-pool.ts";
import { createApiHandler } from "./server/api-server.ts";
import type { Backends } from "./server/backends.ts";
import { HttpServer } from "./server/http/http-server.ts";
import { Relay } from "./server/http/relay.ts";
import { createMetricsHandler } from "./server/metrics-handler.ts";

/** Runs until SIGTERM or SIGINT. Returns the exit code. */
export async function daemonMain(argv: string[]): Promise<number> {
  try {
    const command = readDaemonCommand(argv);
    if (command.do === "run") return await runDaemon(command.config, argv);
    if (command.do === "help") console.log(command.text);
    else if (command.do === "version") console.log(`Gantry version ${version}`);
    else console.log("configuration OK");
    return 0;
  } catch (error) {
    console.error(`gantry daemon: ${errorMessage(error)}`);
    return 1;
  }
}

async function runDaemon(config: DaemonConfig, argv: string[]): Promise<number> {
  goFirst();
  const log = new Logger(config.logLevel);
  log.setFormat(config.logFormat);
  const inherited = inheritedDescriptors(process.env);
  const notifySocket = takeNotifySocket(process.env);
  applyProxies(config.proxies, process.env, log);
  await using stack = new AsyncDisposableStack();
  const lock = lockDaemon(config);
  stack.defer(() => lock.release());
  const events = new EventBus();
  const host = readHostFacts();
  const crun = await prepareCrun(config);
  const shims = new ShimPool(await shimPath(config.dataRoot), 2, crun?.program);
  stack.defer(() => shims.close());
  const plugins = new Plugins(log);
  const authorizer = new Authorization(plugins);
  await authorizer.use(config.authorizationPlugins);
  const initPath = config.initPath ?? findInit();
  const engine = await openEngine(engineOptions(config, { host, shims, events, plugins, log, crun, initPath }));
  stack.defer(() => engine.close());
  const id = engineId(config.dataRoot, engine.database);
  const requests = new RequestMetrics();
  const connections = () => server.connectionCount;
  const system = createSystem({ config, engine, host, events, requests, id, initPath, connections });
  const { networks, ...nouns } = engine;
  const buildkit = createBuildkit(engine, id, log);
  const backends: Backends = { ...nouns, networks: networks.catalog, system, buildkit };
  const handler = createApiHandler({ backends, version, log, authorizer, observe: requests.observe });
  const relay = new Relay(await relayPath(config.dataRoot));
  const server = new HttpServer({ handler, onError: (error) => log.error("connection failed", { error }), relay });
  stack.defer(() => server.close(config.shutdownTimeoutMillis));
  let hostEnds = false;
  stack.defer(() => engine.endContainers({ hostEnds }));
  const listeners = await listen({ ...config, inherited, log }, ({ server: listener, event }) =>
    server.attach(listener, event),
  );
  stack.defer(() => closeListeners(listeners));
  await serveMetrics(config, system, log, stack);
  const stopReloading = reloadOnHangup({
    config,
    read: () => reloadConfig(argv),
    publish: (event) => events.publish(event),
    setLogLevel: (level: LogLevel) => log.setLevel(level),
    useAuthorization: (names) => authorizer.use(names),
    shownProxies: () => shownProxies(process.env),
    id,
    log,
  });
  stack.defer(stopReloading);
  process.on("unhandledRejection", (error) => log.error("unhandled rejection", { error }));
  process.on("uncaughtException", (error) => log.error("uncaught exception", { error }));
  await engine.startByPolicy();
  // Not before: a copy keeps the containers of its volume from being started.
  engine.volumeCopies.backups.start();
  log.info("Daemon has completed initialization", { version });
  tellSystemd(notifySocket, "READY=1", log);
  const signal = await endSignal();
  tellSystemd(notifySocket, "STOPPING=1", log);
  log.info("Processing signal", { signal });
  if (notifySocket !== undefined) hostEnds = await isHostEnding();
  return 0;
}

interface PreparedCrun {
  /** Descriptor of a sealed copy, where the kernel can make one. */
  program: number | undefined;
  environment: Readonly<Record<string, string>>;
}

/** crun takes a sealed copy for what it would make of itself at every start, and is spared a library. Other runtimes do as they like. */
async function prepareCrun({ runtimes, defaults, dataRoot }: DaemonConfig): Promise<PreparedCrun | undefined> {
  const path = runtimes[defaults.runtime]?.path;
  const program = path === undefined ? null : Bun.which(path);
  if (program === null || basename(program) !== "crun") return undefined;
  return {
    program: sealProgram(program),
    environment: await leanEnvironment(program, await noSystemdPath(dataRoot)),
  };
}

function engineOptions(
  config: DaemonConfig,
  {
    crun,
    ...parts
  }: {
    host: HostFacts;
    shims: ShimPool;
    events: EventBus;
    plugins: Plugins;
    log: Logger;
    crun: PreparedCrun | undefined;
    /** Of docker-init. */
    initPath: string;
  },
): Parameters<typeof openEngine>[0] {
  const runtimes = Object.entries(config.runtimes).map(([name, { path, runtimeArgs }]) => {
    const prepared = path === config.runtimes[config.defaults.runtime]?.path ? crun : undefined;
    const sealed = prepared?.program !== undefined;
    return [name, { path, args: runtimeArgs ?? [], sealed, environment: prepared?.environment ?? {} }] as const;
  });
  return {
    ...parts,
    dataRoot: config.dataRoot,
    execRoot: config.execRoot,
    instance: config.instance,
    cgroupParent: config.cgroupParent,
    network: config.network,
    registry: config.registry,
    transfers: config.transfers,
    liveRestore: () => config.liveRestore,
    cdiSpecDirs: config.cdiSpecDirs,
    builderGc: config.builderGc,
    defaults: config.defaults,
    runtimes: new OciRuntimes(new Map(runtimes), config.defaults.runtime),
  };
}

/** A small init for `--init`: the first that is installed. */
function findInit(): string {
  const known = [
    "/usr/bin/docker-init",
    "/usr/libexec/docker/docker-init",
    "/usr/bin/catatonit",
    "/usr/libexec/podman/catatonit",
    "/usr/bin/tini-static",
    "/usr/bin/tini",
  ];
  return known.find((path) => existsSync(path)) ?? "docker-init";
}

function createBuildkit(
  { builder, images, snapshots, registries, networks, database }: Engine,
  id: string,
  log: Logger,
): Buildkit {
  const history = new BuildHistory({ database, directory: builder.historyDirectory, log });
  history.reconcile();
  const tree = new ChildContainerTree();
  return new Buildkit({
    history,
    builder,
    images,
    snapshots,
    inspectRemote: (name, credentials, signal) => registries.inspect(name, credentials, signal),
    exportTree: (directory, signal, times) => tree.exportTree(directory, signal, times),
    engineId: id,
    version,
    hostGateway: () => networks.hostGateway ?? "",
  });
}

async function serveMetrics(
  config: DaemonConfig,
  system: System,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<void> {
  if (config.metricsAddress === undefined) return;
  const metrics = new HttpServer({
    handler: createMetricsHandler(system),
    onError: (error) => log.error("metrics connection failed", { error }),
  });
  stack.defer(() => metrics.close());
  await listenForMetrics(config.metricsAddress, (listener) => metrics.attach(listener));
}

/** A unit of `Type=notify` waits for it. */
function tellSystemd(path: string | undefined, state: string, log: Logger): void {
  if (path === undefined) return;
  try {
    notifySystemd(path, state);
  } catch (error) {
    log.warn("systemd cannot be told", { state, error });
  }
}

function endSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve(name));
  });
}
