/** `docker create`: the request merged with its image, checked, and recorded in one transaction. Mounts nothing. */
import { hostname as systemHostname } from "node:os";
import type { ContainerConfig, HostConfig } from "../../api/container-config.ts";
import type { ContainerCreateRequest, ContainerCreateResponse } from "../../api/containers.ts";
import { nowRfc3339Nano } from "../../base/clock.ts";
import { invalidArgument } from "../../base/errors.ts";
import { newId, shortId } from "../../base/ids.ts";
import { expectMove } from "../../linux/cgroups/cgroup-moves.ts";
import type { HostFacts } from "../../linux/host-facts.ts";
import { validateCreate } from "../../runtime/spec/checks/validate.ts";
import type { DaemonDefaults } from "../../runtime/spec/input.ts";
import { normalizeConfig, normalizeHostConfig } from "../../runtime/spec/normalize.ts";
import type { Snapshotter } from "../../snapshots/snapshotter.ts";
import type { NetworkManager } from "../networks/network-manager.ts";
import { networkMode } from "../networks/settings/network-mode.ts";
import type { MountPlan } from "../volumes/mounts/mount-plan.ts";
import type { ContainerEvents } from "./container-events.ts";
import { type ContainerRecord, commandOf, initialState } from "./container-record.ts";
import type { ContainerStore } from "./container-store.ts";
import { settleLinks } from "./lifecycle/links.ts";
import { randomName, validateName } from "./names.ts";

export interface ImageForCreate {
  id: string;
  config: ContainerConfig;
  layers: string[];
}

export interface CreateDependencies {
  store: ContainerStore;
  events: ContainerEvents;
  snapshotter: Snapshotter;
  networks: Pick<NetworkManager, "validate" | "settle" | "createdSettings">;
  /** Throws `not-found` with Docker's message. */
  resolveImage(name: string, platform: string | undefined): ImageForCreate;
  planMounts(input: {
    containerId: string;
    config: ContainerConfig;
    hostConfig: HostConfig;
    imageVolumes: string[];
    readOnlyNonRecursive?: boolean | undefined;
    resolveImage: (name: string) => { id: string; layers: readonly string[] };
    volumesFrom: (container: string) => MountPlan[];
  }): Promise<MountPlan[]>;
  /** Removes the volumes that were made for a container that then could not be created. */
  discardMounts(plans: MountPlan[]): void;
  host: HostFacts;
  defaults: DaemonDefaults;
}

export interface CreateOptions {
  name?: string | undefined;
  platform?: string | undefined;
  /** Mounts below read-only binds stay writable, as clients before API 1.44 expect. */
  readOnlyNonRecursive?: boolean | undefined;
  /** False: what the image declares as volumes is a part of the container's own files. */
  imageVolumes?: boolean | undefined;
  /** The container whose network it has: see `ContainerRecord`. */
  networkOf?: string | undefined;
}

export async function createContainer(
  deps: CreateDependencies,
  request: ContainerCreateRequest,
  options: CreateOptions,
): Promise<ContainerCreateResponse> {
  expectMove(deps.host); // Few containers are made and not started.
  const { HostConfig: givenHost, NetworkingConfig: networking, ...given } = request;
  const name = options.name === undefined || options.name === "" ? undefined : validateName(options.name);
  const warnings = validateCreate(given, givenHost ?? {}, deps.host, deps.defaults);
  if (!given.Image)
    throw invalidArgument(commandOf(given).length === 0 ? "no command specified" : "no image specified");
  const resolved = deps.resolveImage(given.Image, options.platform);
  const image = options.imageVolumes === false ? withoutVolumes(resolved) : resolved;
  const merged = mergeConfig(given, image.config);
  if (commandOf(merged).length === 0) throw invalidArgument("no command specified");
  const config = normalizeConfig(merged);
  const hostConfig = normalizeHostConfig(givenHost ?? {}, deps.host, deps.defaults);
  const id = newId();
  const record = draft({
    id,
    name: name ?? randomName((free) => deps.store.isNameFree(free)),
    image,
    config,
    hostConfig,
  });
  record.networking = networking ?? undefined;
  if (options.networkOf !== undefined) record.networkOf = options.networkOf;
  settleModes(deps.store, hostConfig);
  // On a user's network links are names of its name service, and stand in the endpoint's settings.
  if (networkMode(config, hostConfig).kind === "network") hostConfig.Links = null;
  else if (hostConfig.Links?.length) hostConfig.Links = settleLinks(hostConfig.Links, (link) => deps.store.find(link));
  const networkRequest = { containerId: id, name: record.name, config, hostConfig, networking: record.networking };
  deps.networks.validate(networkRequest);
  record.networking = deps.networks.settle(networkRequest);
  record.networkSettings = deps.networks.createdSettings({ ...networkRequest, networking: record.networking });
  await commit(deps, record, image, options);
  if (hostConfig.Mounts?.some(({ Type }) => Type === "image")) warnings.push("Image mount is an experimental feature");
  return { Id: id, Warnings: warnings };
}

/** Volumes first, then the writable root, then the record: whatever fails takes back what came before it. */
async function commit(
  deps: CreateDependencies,
  record: ContainerRecord,
  image: ImageForCreate,
  options: CreateOptions,
): Promise<void> {
  const { store, snapshotter } = deps;
  using undo = new DisposableStack();
  record.mounts = await deps.planMounts({
    containerId: record.id,
    config: record.config,
    hostConfig: record.hostConfig,
    imageVolumes: Object.keys(image.config.Volumes ?? {}),
    volumesFrom: (container) => mountsOf(store, container),
    resolveImage: (name) => deps.resolveImage(name, undefined),
    readOnlyNonRecursive: options.readOnlyNonRecursive,
  });
  undo.defer(() => deps.discardMounts(record.mounts));
  // A plugin may have taken its time.
  deps.resolveImage(image.id, undefined);
  snapshotter.prepare(record.id, image.layers);
  undo.defer(() => void snapshotter.remove(record.id));
  for (const { image: shown } of record.mounts) {
    if (shown === undefined) continue;
    snapshotter.prepare(shown.key, shown.layers, { plain: true });
    undo.defer(() => void snapshotter.remove(shown.key));
  }
  const container = store.add(record);
  undo.move();
  deps.events.publish(container, "create");
}

function withoutVolumes(image: ImageForCreate): ImageForCreate {
  return { ...image, config: { ...image.config, Volumes: null } };
}

/** The id of a container whose namespaces are joined: it may get another name. A 404 would make clients pull the image and try again. */
function settleModes(store: ContainerStore, hostConfig: HostConfig): void {
  const settled = (mode: string | undefined, required: boolean) => {
    const name = mode?.startsWith("container:") ? mode.slice("container:".length) : "";
    if (name === "") return mode;
    const container = store.find(name);
    if (!container && required) throw invalidArgument(`No such container: ${name}`);
    return container ? `container:${container.id}` : mode;
  };
  for (const [key, required] of [
    ["PidMode", true],
    ["IpcMode", true],
    ["NetworkMode", false],
  ] as const) {
    const mode = settled(hostConfig[key], required);
    if (mode !== undefined) hostConfig[key] = mode;
  }
}

/** A 404 would make clients pull the image and try again. */
function mountsOf(store: ContainerStore, name: string): MountPlan[] {
  const container = store.find(name);
  if (!container) throw invalidArgument(`No such container: ${name}`);
  return container.record.mounts;
}

function draft(parts: {
  id: string;
  name: string;
  image: ImageForCreate;
  config: ContainerConfig;
  hostConfig: HostConfig;
}): ContainerRecord {
  const { id, name, image, config, hostConfig } = parts;
  const hostname = hostConfig.UTSMode === "host" || hostConfig.NetworkMode === "host" ? systemHostname() : shortId(id);
  const sharesNames = hostConfig.NetworkMode?.startsWith("container:") ?? false;
  return {
    id,
    name,
    created: nowRfc3339Nano(),
    imageId: image.id,
    layers: image.layers,
    config: { ...config, Hostname: config.Hostname || (sharesNames ? "" : hostname) },
    hostConfig,
    networking: undefined,
    mounts: [],
    state: initialState(),
    networkSettings: undefined as never, // Set before the record is stored: the network manager says what it shows.
    restartCount: 0,
    manuallyStopped: false,
    removing: false,
  };
}

/** The user's configuration over the image's, as dockerd merges them. */
export function mergeConfig(user: ContainerConfig, image: ContainerConfig): ContainerConfig {
  const merged: ContainerConfig = {
    Hostname: "",
    Domainname: "",
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    ...dropUndefined(user),
  };
  merged.User = user.User || image.User || "";
  merged.WorkingDir = user.WorkingDir || image.WorkingDir || "";
  const env = mergeEnv(user.Env ?? [], image.Env ?? []);
  merged.Env = env.length > 0 ? env : null;
  merged.Labels = { ...image.Labels, ...user.Labels };
  const exposed = { ...image.ExposedPorts, ...user.ExposedPorts };
  if (Object.keys(exposed).length > 0) merged.ExposedPorts = exposed;
  const volumes = { ...image.Volumes, ...user.Volumes };
  merged.Volumes = Object.keys(volumes).length > 0 ? volumes : null;
  if (user.StopSignal || image.StopSignal) merged.StopSignal = user.StopSignal || (image.StopSignal as string);
  if (!user.Shell?.length && image.Shell?.length) merged.Shell = image.Shell;
  mergeCommand(merged, user, image);
  mergeHealthcheck(merged, user, image);
  merged.OnBuild = user.OnBuild ?? null;
  return merged;
}

/** The image's command belongs to the image's entrypoint: a new entrypoint drops it. `[""]` resets the entrypoint. */
function mergeCommand(merged: ContainerConfig, user: ContainerConfig, image: ContainerConfig): void {
  const resets = user.Entrypoint?.length === 1 && user.Entrypoint[0] === "";
  if (resets || (user.Entrypoint?.length ?? 0) > 0) {
    merged.Entrypoint = resets ? null : (user.Entrypoint as string[]);
    merged.Cmd = user.Cmd ?? null;
    return;
  }
  merged.Entrypoint = image.Entrypoint?.length ? image.Entrypoint : null;
  merged.Cmd = user.Cmd?.length ? user.Cmd : (image.Cmd ?? null);
}

function mergeHealthcheck(merged: ContainerConfig, user: ContainerConfig, image: ContainerConfig): void {
  if (!image.Healthcheck) return;
  const mine = user.Healthcheck;
  if (!mine) {
    merged.Healthcheck = image.Healthcheck;
    return;
  }
  // A check given without a test keeps the image's test and overrides its times one by one.
  const given = Object.fromEntries(
    Object.entries(mine).filter(([, value]) => value !== 0 && value !== null && !isEmptyList(value)),
  );
  merged.Healthcheck = { ...image.Healthcheck, ...given };
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function mergeEnv(user: string[], image: string[]): string[] {
  const names = new Set(user.map((entry) => entry.split("=", 1)[0]));
  return [...user, ...image.filter((entry) => !names.has(entry.split("=", 1)[0] as string))];
}

function dropUndefined(config: ContainerConfig): ContainerConfig {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}
