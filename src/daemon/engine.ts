/**
 * The engine, built by hand in order: each object gets what it needs as plain arguments, and is closed in reverse. Start-up
 * reconciles what a crash left before anybody can ask for it.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ChildContainerTree } from "../archive/trees/child-container-tree.ts";
import type { Logger } from "../base/log.ts";
import { version } from "../base/version.ts";
import { Builder } from "../builder/builder.ts";
import { type GcConfig, gcRequests } from "../builder/cache/gc-policy.ts";
import { stepAnnotation } from "../builder/steps/run-step.ts";
import { LocalContentStore } from "../content/local-content-store.ts";
import { Committer } from "../engine/containers/commit.ts";
import type { Container } from "../engine/containers/container.ts";
import { ContainerEvents } from "../engine/containers/container-events.ts";
import { ContainerStore } from "../engine/containers/container-store.ts";
import { Containers } from "../engine/containers/containers.ts";
import { ContainerControl, type Freezer } from "../engine/containers/control.ts";
import { CopyPoint } from "../engine/containers/copy.ts";
import { type CreateDependencies, createContainer } from "../engine/containers/create.ts";
import { HealthMonitor } from "../engine/containers/lifecycle/health.ts";
import { Launcher } from "../engine/containers/lifecycle/launch.ts";
import { Lifecycle } from "../engine/containers/lifecycle/lifecycle.ts";
import { NetworkConnector } from "../engine/containers/network-connector.ts";
import { ContainerPaths } from "../engine/containers/paths.ts";
import { PortPublisher } from "../engine/containers/publish.ts";
import { Remover } from "../engine/containers/remove.ts";
import { restoreContainers, startByPolicy } from "../engine/containers/restore.ts";
import { Updater } from "../engine/containers/update.ts";
import { ContainerViews } from "../engine/containers/views/views.ts";
import { VolumeHolder } from "../engine/containers/volume-holder.ts";
import type { EventBus } from "../engine/events/event-bus.ts";
import { Execs } from "../engine/exec/execs.ts";
import { Images, type TransferLimits } from "../engine/images/images.ts";
import { linkStats } from "../engine/networks/drivers/link-stats.ts";
import { NetworkManager } from "../engine/networks/network-manager.ts";
import type { NetworkConfig } from "../engine/networks/settings/network-config.ts";
import { openVolumeCopies, type VolumeCopies } from "../engine/volumes/copies.ts";
import { PluginDrivers } from "../engine/volumes/drivers/plugin-driver.ts";
import { ContainerMounts } from "../engine/volumes/mounts/container-mounts.ts";
import { bindsFor, toMountPoints } from "../engine/volumes/mounts/mount-plan.ts";
import { VolumeStore } from "../engine/volumes/volume-store.ts";
import { Volumes } from "../engine/volumes/volumes.ts";
import { applyResources } from "../linux/cgroups/cgroup-resources.ts";
import { readCgroupStats } from "../linux/cgroups/cgroup-stats.ts";
import { cgroupPids, freeze, removeEmptyCgroup, thaw, thawIfFrozen } from "../linux/cgroups/cgroups.ts";
import type { HostFacts } from "../linux/host-facts.ts";
import { Database } from "../metadata/database.ts";
import { engineId } from "../metadata/engine-id.ts";
import type { Plugins } from "../plugins/plugins.ts";
import type { RegistryConfig } from "../remote/endpoints.ts";
import { Registries } from "../remote/registries.ts";
import type { OciRuntimes } from "../runtime/oci-runtime.ts";
import type { ShimPool } from "../runtime/shim-pool.ts";
import { validateUpdate } from "../runtime/spec/checks/validate.ts";
import type { DaemonDefaults } from "../runtime/spec/input.ts";
import { buildResources } from "../runtime/spec/resources.ts";
import { DirectoryLayerStore } from "../snapshots/directory-layer-store.ts";
import { OverlaySnapshotter } from "../snapshots/overlay-snapshotter.ts";
import { Trash } from "../snapshots/trash.ts";
import { descendantsOf, imageUsage, isNameOf, layersOf, snapshotsOf, volumeUsage } from "./links.ts";

export interface EngineOptions {
  dataRoot: string;
  execRoot: string;
  instance: string;
  cgroupParent: string;
  host: HostFacts;
  network: NetworkConfig;
  registry: RegistryConfig;
  transfers: TransferLimits;
  /** Asked at the start and at the end: false ends the containers with the daemon. */
  liveRestore: () => boolean;
  cdiSpecDirs: readonly string[];
  builderGc: GcConfig;
  defaults: DaemonDefaults;
  runtimes: OciRuntimes;
  shims: ShimPool;
  initPath: string;
  events: EventBus;
  plugins: Plugins;
  log: Logger;
}

export interface Engine {
  builder: Builder;
  snapshots: OverlaySnapshotter;
  containers: Containers;
  execs: Execs;
  images: Images;
  registries: Registries;
  volumes: Volumes;
  volumeCopies: VolumeCopies;
  pluginDrivers: PluginDrivers;
  networks: NetworkManager;
  store: ContainerStore;
  views: ContainerViews;
  database: Database;
  /** Starts what restart policies ask for. Call when the API listens. */
  startByPolicy(): Promise<void>;
  /** Without live-restore, and when the host ends: ends the containers, and from now on none is started. Call while those who are attached can still see it. */
  endContainers(cause: { hostEnds: boolean }): Promise<void>;
  /** What runs runs on; everything else of the daemon's own is put away. */
  close(): Promise<void>;
}

/** What containers stand on. */
interface Base {
  options: EngineOptions;
  database: Database;
  paths: ContainerPaths;
  store: ContainerStore;
  events: ContainerEvents;
  snapshotter: OverlaySnapshotter;
  images: Images;
  volumes: Volumes;
  mounts: ContainerMounts;
  networks: NetworkManager;
  freezer: Freezer;
  cgroupPath(container: Container): string;
}

/** Opens the stores, brings records and kernel state together again, and adopts what still runs. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { dataRoot, events, log } = options;
  const database = new Database(join(dataRoot, "metadata.db"));
  const trash = new Trash(join(dataRoot, "trash"), log);
  const layers = new DirectoryLayerStore(dataRoot, database, trash);
  await layers.reconcile();
  const content = new LocalContentStore(join(dataRoot, "content"), database);
  await content.reconcile();
  const store = new ContainerStore(database);
  const snapshotter = new OverlaySnapshotter(dataRoot, layers, trash);
  const spoolDirectory = join(dataRoot, "spool");
  const registries = new Registries(options.registry);
  const pluginDrivers = new PluginDrivers(options.plugins);
  const images = new Images({
    database,
    content,
    layers,
    events,
    spoolDirectory,
    registries,
    transfers: options.transfers,
    version,
    usage: () => imageUsage(store),
  });
  const volumes = new Volumes({
    store: new VolumeStore(database, join(dataRoot, "volumes")),
    usage: volumeUsage(store),
    drivers: pluginDrivers,
    publish: (event) => events.publish(event),
  });
  await volumes.store.recover();
  const base = assembleBase({ options, database, store, snapshotter, images, volumes });
  const engine = assemble(base);
  const volumeCopies = await openVolumeCopies({
    ...{ volumes, database, registries, log },
    holder: new VolumeHolder({ store, freezer: base.freezer, locks: volumes.locks }),
    directory: join(dataRoot, "volume-snapshots"),
  });
  const builder = new Builder({
    images,
    containers: engine.parts.containers,
    networks: engine.parts.networks,
    snapshots: snapshotter,
    layers,
    database,
    directory: join(dataRoot, "build"),
    discard: (directory) => void trash.discard(directory),
    gc: gcRequests(options.builderGc, dataRoot),
    log,
    secrets: join(options.execRoot, "build"),
  });
  await snapshotter.reconcile(new Set(store.list().flatMap(snapshotsOf)));
  const live = await engine.restore();
  await engine.removeSteps();
  await engine.reconcileNetworks(live);
  await images.reconcile();
  builder.reconcile();
  return {
    ...engine.parts,
    builder,
    volumeCopies,
    pluginDrivers,
    snapshots: snapshotter,
    registries,
    startByPolicy: engine.startByPolicy,
    endContainers: async ({ hostEnds }) => {
      if (options.liveRestore() && !hostEnds) return;
      // It may have containers stand still.
      await volumeCopies.backups.close();
      await engine.endContainers();
    },
    close: async () => {
      await volumeCopies.backups.close();
      await builder.close();
      await closeEngine(base, engine.lifecycle, layers);
    },
  };
}

function assembleBase(
  parts: Pick<Base, "options" | "database" | "store" | "snapshotter" | "images" | "volumes">,
): Base {
  const { options, database, store, volumes } = parts;
  const { dataRoot, execRoot, instance, host, log, events: bus } = options;
  mkdirSync(execRoot, { recursive: true, mode: 0o711 });
  const cgroupPath = ({ record }: Container) => join(record.hostConfig.CgroupParent || options.cgroupParent, record.id);
  return {
    ...parts,
    paths: new ContainerPaths({ dataRoot, execRoot }),
    events: new ContainerEvents(bus),
    mounts: new ContainerMounts({
      volumes,
      usage: volumeUsage(store),
      dataRoot,
      pinRoot: join(execRoot, "pins"),
      snapshots: parts.snapshotter,
      ...{ host, log },
    }),
    networks: new NetworkManager({
      ...{ database, execRoot, instance, config: options.network, logger: log, events: bus },
      engineId: engineId(dataRoot, database),
    }),
    cgroupPath,
    freezer: {
      freeze: (container) => freeze(host, cgroupPath(container)),
      thaw: (container) => thaw(host, cgroupPath(container)),
    },
  };
}

/** The container operations, over their base. Objects that need each other meet through functions called later. */
function assemble(base: Base) {
  const { options, paths, store, events, snapshotter, images, networks, mounts, freezer, cgroupPath } = base;
  const { host, runtimes, shims, log } = options;
  const execs = new Execs({
    defaults: options.defaults,
    store,
    events,
    paths,
    runtimes,
    shims,
    host,
    cgroups: host,
    log,
  });
  const health = new HealthMonitor((container, command, timeout) => execs.probe(container, command, timeout), events);
  const launcher = new Launcher({
    ...{ paths, snapshotter, networks, mounts, runtimes, shims, host, cgroups: host },
    cgroupParent: options.cgroupParent,
    initPath: options.initPath,
    defaults: options.defaults,
    cdiSpecDirs: options.cdiSpecDirs,
    findContainer: (name) => store.find(name),
  });
  const remover = new Remover({
    ...{ store, snapshotter, paths, events },
    control: () => control,
    removeAnonymousVolumes: (plans) => mounts.removeAnonymous(plans),
    forgetExecs: (container) => execs.forget(container),
    releaseLayers: ({ record }) => images.releaseLayers(layersOf(record).flat()),
  });
  const lifecycle = new Lifecycle({
    store,
    launcher,
    events,
    log,
    health,
    forgetExecs: (ended) => execs.forget(ended),
    removeEnded: (ended) => remover.removeEnded(ended),
  });
  const control: ContainerControl = new ContainerControl({ store, lifecycle, freezer, events });
  const views = new ContainerViews({
    paths,
    mountPoints: toMountPoints,
    graphDriver: (id) => ({ Name: "overlay2", Data: { ID: id, ...snapshotter.directories(id) } }),
    usage: (id) => snapshotter.usage(id),
    imageSize: (id) => images.find(id)?.size ?? 0,
    isNameOf: (name, id) => isNameOf(images, name, id),
    namesOf: (container) => store.namesOf(container),
    linksOf: (container) => store.linksOf(container),
  });
  const portPublisher = new PortPublisher(networks);
  const containers = new Containers({
    ...{ store, paths, lifecycle, control, remover, events, views },
    copy: new CopyPoint({ tree: new ChildContainerTree(), snapshotter, events, mounts, paths, binds: bindsFor }),
    committer: new Committer({ freezer, events, commitSnapshot: (id) => snapshotter.commit(id), images }),
    updater: new Updater({
      ...{ store, events },
      validate: ({ record, id }, request) => validateUpdate(record.hostConfig, request, host, id),
      publish: (container, bindings) => portPublisher.publish(container, bindings),
      apply: async (container, request) => applyResources(host, cgroupPath(container), buildResources(request)),
    }),
    sampler: async (container) => ({
      ...readCgroupStats(host, cgroupPath(container), host.memory),
      networks: linkStats(container.record.state.pid),
    }),
    create: (request, given) => createContainer(createDependencies(base), request, given),
    pids: (container) => cgroupPids(host, cgroupPath(container)),
    changes: (id) => snapshotter.changes(id),
    descendants: (image) => descendantsOf(images, image),
    renamed: (container) => networks.rename(container.id, container.record.name),
  });
  const connector = new NetworkConnector({ store, networks, paths, log });
  networks.catalog.useConnector(connector);
  const thawLeft = (container: Container) => thawIfFrozen(host, cgroupPath(container));
  const end = (container: Container) => control.endWithDaemon(container);
  const restoring = { store, lifecycle, launcher, remover, paths, log, thaw: thawLeft, end };
  return {
    lifecycle,
    parts: { containers, execs, images, volumes: base.volumes, networks, store, views, database: base.database },
    restore: () => {
      // First, for the end of one that is gone must not unmount what another has.
      for (const { record } of store.list()) if (record.state.pid !== 0) mounts.adopt(record.mounts, record.id);
      base.volumes.access.reconcile();
      return restoreContainers({ ...restoring, liveRestore: options.liveRestore() });
    },
    reconcileNetworks: async (live: ReadonlySet<string>) => {
      await networks.reconcile(live);
      await connector.reconcile(live);
    },
    removeSteps: () => removeSteps(store, containers),
    startByPolicy: () => startByPolicy(restoring),
    endContainers: async () => {
      lifecycle.holdRestarts(true);
      const ends = store
        .list()
        .map((container) =>
          end(container).catch((error: unknown) =>
            log.error("could not stop a container", { container: container.id, error }),
          ),
        );
      await Promise.all(ends);
    },
  };
}

/** The daemon was ended in the middle of builds: nobody waits for their containers. */
async function removeSteps(store: ContainerStore, containers: Containers): Promise<void> {
  const left = store.list().filter(({ record }) => record.hostConfig.Annotations?.[stepAnnotation] !== undefined);
  for (const { id } of left) await containers.remove(id, { force: true, volumes: true, link: false });
}

function createDependencies({
  options,
  store,
  events,
  snapshotter,
  images,
  networks,
  mounts,
}: Base): CreateDependencies {
  return {
    ...{ store, events, snapshotter, networks },
    resolveImage: (name, platform) => {
      const record = images.resolve(name, platform);
      return { id: record.id, config: images.config(record), layers: images.layers(record) };
    },
    planMounts: (input) => mounts.plan(input),
    discardMounts: (plans) => void mounts.removeAnonymous(plans),
    host: options.host,
    defaults: options.defaults,
  };
}

async function closeEngine(base: Base, lifecycle: Lifecycle, layers: DirectoryLayerStore): Promise<void> {
  lifecycle.close();
  const runs = base.store.list().some((container) => container.isRunning);
  await base.networks.close({ keep: runs });
  if (!runs) await removeEmptyCgroup(base.options.host, base.options.cgroupParent);
  await base.snapshotter.close();
  await layers.close();
  base.database.close();
}
