/**
 * Building a container's task and taking it down: task directory, network, root mount, spec, shim, in this order, and
 * released in reverse. Whatever `launch` did before it failed is undone; `teardown` may be run on anything, any number of times.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NetworkSettings } from "../../../api/containers.ts";
import type { EndpointSettings } from "../../../api/networks.ts";
import { conflict, internal, invalidArgument } from "../../../base/errors.ts";
import { goJson } from "../../../base/go-json.ts";
import { expectMove } from "../../../linux/cgroups/cgroup-moves.ts";
import { type CgroupLayout, oomCountFile, removeCgroup } from "../../../linux/cgroups/cgroups.ts";
import type { HostFacts } from "../../../linux/host-facts.ts";
import { mount, unmountIfMounted } from "../../../linux/mounts/mount.ts";
import type { RuntimeSpec, SpecMount } from "../../../oci/runtime-spec.ts";
import { injectCdiDevices } from "../../../runtime/cdi/inject.ts";
import { environmentOf, type OciRuntime, type OciRuntimes, runArgv } from "../../../runtime/oci-runtime.ts";
import { SeccompCache } from "../../../runtime/seccomp-cache.ts";
import { RuntimeStartError, type Shim } from "../../../runtime/shim.ts";
import type { ShimPool } from "../../../runtime/shim-pool.ts";
import { buildSpec } from "../../../runtime/spec/build.ts";
import { containerEnv } from "../../../runtime/spec/env.ts";
import type { DaemonDefaults, NamespaceChoice } from "../../../runtime/spec/input.ts";
import { resolveUser } from "../../../runtime/spec/security/user.ts";
import type { Snapshotter } from "../../../snapshots/snapshotter.ts";
import { predefinedNames } from "../../networks/endpoints/endpoint-plan.ts";
import type { NetworkFilesRequest } from "../../networks/files/network-files.ts";
import type { NetworkManager } from "../../networks/network-manager.ts";
import { type SandboxRequest, spokenFamilies } from "../../networks/settings/network-mode.ts";
import type { ContainerMounts } from "../../volumes/mounts/container-mounts.ts";
import type { Container } from "../container.ts";
import { type ContainerRecord, commandOf } from "../container-record.ts";
import { logSettings } from "../logs/log-config.ts";
import type { ContainerPaths } from "../paths.ts";
import { makeWorkingDirectory } from "../working-directory.ts";
import { linkEnvironment, moveHost, resolveLinks } from "./links.ts";
import { translateStartError } from "./start-error.ts";

export interface Launched {
  shim: Shim;
  pid: number;
  networkSettings: NetworkSettings;
}

export interface LauncherDependencies {
  paths: ContainerPaths;
  snapshotter: Snapshotter;
  networks: Pick<NetworkManager, "connect" | "release" | "createdSettings" | "writeFiles">;
  mounts: Pick<ContainerMounts, "toSpecMounts" | "release">;
  runtimes: OciRuntimes;
  shims: Pick<ShimPool, "spawn">;
  host: HostFacts;
  cgroups: CgroupLayout;
  /** Absolute cgroup path of this daemon's containers. */
  cgroupParent: string;
  /** Host path of docker-init. */
  initPath: string;
  defaults: Pick<DaemonDefaults, "init" | "ulimits" | "seccomp" | "noNewPrivileges">;
  /** Where devices are described; empty: nowhere. */
  cdiSpecDirs: readonly string[];
  findContainer(nameOrId: string): Container | undefined;
}

export class Launcher {
  private readonly deps: LauncherDependencies;
  private readonly seccomp = new SeccompCache();

  constructor(deps: LauncherDependencies) {
    this.deps = deps;
  }

  cgroupPath({ id, hostConfig }: Pick<ContainerRecord, "id" | "hostConfig">): string {
    return join(hostConfig.CgroupParent || this.deps.cgroupParent, id);
  }

  /** Rejects with StartError, or with what the engine could not prepare. */
  async launch(container: Container): Promise<Launched> {
    const { paths, snapshotter, networks } = this.deps;
    const { record } = container;
    expectMove(this.deps.cgroups);
    const owner = this.networkOwner(record);
    if (owner) record.config.Hostname = owner.record.config.Hostname ?? "";
    await using undo = new AsyncDisposableStack();
    undo.defer(() => this.removeTask(record));
    mkdirSync(paths.task(record.id), { recursive: true, mode: 0o700 });
    mkdirSync(paths.data(record.id), { recursive: true, mode: 0o710 });

    const connecting = networks.connect(sandboxRequest(record));
    undo.defer(() =>
      connecting.then(
        () => networks.release(record.networkOf ?? record.id),
        () => undefined,
      ),
    );
    const rootfs = snapshotter.mount(record.id);
    undo.defer(() => snapshotter.unmount(record.id));
    makeWorkingDirectory(rootfs, record.config);

    const volumeMounts = await this.deps.mounts.toSpecMounts(record.mounts, rootfs, record.id, () =>
      resolveUser(rootfs, record.config.User ?? ""),
    );
    undo.defer(() => this.deps.mounts.release(record.mounts, record.id));
    const { netns, settings } = await connecting;
    // On a user's network links are names of its name service.
    const isDefault = Object.keys(settings.Networks).includes("bridge");
    const links = isDefault ? resolveLinks(record, this.deps.findContainer) : [];
    this.writeNetworkFiles(container, settings, links);
    const runtime = this.deps.runtimes.get(record.hostConfig.Runtime);
    const built = this.buildSpec(container, rootfs, volumeMounts, netns, linkEnvironment(record.name, links));
    const { spec, learn } = this.seccomp.prepare(built, runtime);
    writeFileSync(join(paths.task(record.id), "config.json"), goJson(spec), { mode: 0o600 });
    const { shim, pid } = await this.startTask(container, runtime);
    learn(join(paths.runtimeState(), record.id));
    undo.move();
    return { shim, pid, networkSettings: settings };
  }

  /** Address, ports and rules are free for others when this resolves. The record shows a container that is not connected. */
  releaseNetwork({ record }: Container): Promise<void> {
    record.networkSettings = this.deps.networks.createdSettings(sandboxRequest(record), true);
    return this.deps.networks.release(record.networkOf ?? record.id);
  }

  /**
   * Releases all that a task held, whether it ended or never got far. The network has been released before. With `removing`, the
   * root is left to the removal, which need not wait until the kernel has written back what is about to be deleted.
   */
  async teardown({ record }: Container, { removing = false } = {}): Promise<void> {
    await this.deps.mounts.release(record.mounts, record.id);
    if (!removing) await this.deps.snapshotter.unmount(record.id);
    await this.removeTask(record);
  }

  private async removeTask(record: ContainerRecord): Promise<void> {
    const { paths, cgroups } = this.deps;
    unmountIfMounted(paths.shm(record.id), { detach: true });
    rmSync(join(paths.runtimeState(), record.id), { recursive: true, force: true });
    rmSync(paths.task(record.id), { recursive: true, force: true });
    await removeCgroup(cgroups, this.cgroupPath(record));
  }

  /** A container that is linked to one that has started knows its new address. */
  renewLink(parent: Container, alias: string, { record }: Container): void {
    const { bridge } = record.networkSettings.Networks;
    if (bridge === undefined || !("bridge" in parent.record.networkSettings.Networks)) return;
    const file = this.deps.paths.hosts(parent.id);
    const addresses = endpointAddresses(bridge);
    const before = readFileSync(file, "utf8");
    const after = addresses.reduce((text, ip) => moveHost(text, alias, ip), before);
    if (after !== before) writeFileSync(file, after);
  }

  private writeNetworkFiles(
    { record }: Container,
    settings: NetworkSettings,
    links: ReturnType<typeof resolveLinks>,
  ): void {
    const addresses = Object.values(settings.Networks).flatMap(endpointAddresses);
    const directory = this.deps.paths.data(record.id);
    const lines = links.flatMap(({ names, ip, ip6 }) =>
      [ip, ip6].filter((address) => address !== "").map((address) => ({ names, ip: address })),
    );
    this.deps.networks.writeFiles({ ...networkFiles(record, settings, directory), addresses, links: lines });
  }

  private buildSpec(
    container: Container,
    rootfs: string,
    volumeMounts: SpecMount[],
    netns: string | undefined,
    linkEnv: string[],
  ): RuntimeSpec {
    const { host, initPath, defaults } = this.deps;
    const { record } = container;
    const { config, hostConfig } = record;
    const user = resolveUser(rootfs, config.User ?? "", hostConfig.GroupAdd ?? []);
    const command = commandOf(config);
    const shmPath = this.prepareShm(container);
    const spec = buildSpec({
      id: record.id,
      hostname: config.Hostname ?? "",
      domainname: config.Domainname ?? "",
      config,
      hostConfig,
      command,
      env: containerEnv({
        env: [config.Env],
        hostname: config.Hostname ?? "",
        tty: config.Tty === true,
        home: user.home,
        linkEnv,
      }),
      user,
      rootfs,
      mounts: [...this.networkFileMounts(container, volumeMounts), ...volumeMounts],
      namespaces: this.namespaces(container, netns),
      cgroupsPath: this.cgroupPath(record),
      host,
      ...(shmPath === undefined ? {} : { shmPath }),
      ...((hostConfig.Init ?? defaults.init) ? { initPath } : {}),
      defaultUlimits: defaults.ulimits,
      defaultSeccomp: defaults.seccomp,
      defaultNoNewPrivileges: defaults.noNewPrivileges,
      annotations: hostConfig.Annotations ?? {},
    });
    injectCdiDevices(spec, hostConfig.DeviceRequests ?? [], this.deps.cdiSpecDirs);
    return spec;
  }

  /** Docker's three files, unless the user mounts something of their own there. */
  private networkFileMounts({ record }: Container, volumeMounts: SpecMount[]): SpecMount[] {
    const files = this.deps.paths.networkFiles(this.networkOwner(record)?.id ?? record.id);
    const taken = new Set(volumeMounts.map(({ destination }) => destination));
    return files
      .filter(({ destination }) => !taken.has(destination))
      .map((file) => ({
        ...file,
        type: "bind",
        options: ["rbind", "rprivate", ...(record.hostConfig.ReadonlyRootfs ? ["ro"] : [])],
      }));
  }

  /** The container whose network, names and files this one shares. */
  private networkOwner({ id, hostConfig }: ContainerRecord): Container | undefined {
    const other = containerOf(hostConfig.NetworkMode);
    if (other === undefined) return undefined;
    const owner = this.deps.findContainer(other);
    if (!owner) throw invalidArgument(`joining network namespace of container: No such container: ${other}`);
    if (owner.record.id === id) throw internal("cannot join own network namespace");
    if (owner.isRunning) return owner;
    const { name, state } = owner.record;
    throw conflict(`cannot join network namespace of a non running container: container ${name} is ${state.status}`);
  }

  private namespaces(container: Container, netns: string | undefined) {
    const { hostConfig } = container.record;
    return {
      net: this.networkNamespace(container, netns),
      pid: this.joined(hostConfig.PidMode, "PID"),
      ipc: this.joined(hostConfig.IpcMode, "IPC"),
      uts: hostConfig.UTSMode === "host" ? ("host" as const) : ("new" as const),
      cgroup: hostConfig.CgroupnsMode === "host" ? ("host" as const) : ("new" as const),
    };
  }

  private networkNamespace({ record }: Container, netns: string | undefined): NamespaceChoice {
    if (netns !== undefined) return { path: netns };
    if (record.hostConfig.NetworkMode === "host") return "host";
    const owner = this.networkOwner(record);
    return owner ? { path: `/proc/${owner.record.state.pid}/ns/net` } : "new";
  }

  private joined(mode: string | undefined, kind: "PID" | "IPC"): NamespaceChoice {
    if (mode === "host") return "host";
    const other = containerOf(mode);
    if (other === undefined) return "new";
    return { path: `/proc/${this.donor(other, kind).record.state.pid}/ns/${kind.toLowerCase()}` };
  }

  private donor(nameOrId: string, kind: "PID" | "IPC"): Container {
    const container = this.deps.findContainer(nameOrId);
    const failed = `failed to join ${kind} namespace: `;
    if (!container) throw internal(`${failed}No such container: ${nameOrId}`);
    if (!container.isRunning) throw internal(`${failed}container ${container.id} is not running`);
    const { IpcMode } = container.record.hostConfig;
    if (kind === "IPC" && IpcMode !== "shareable" && IpcMode !== "host") {
      throw internal(
        `${failed}container ${container.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
      );
    }
    return container;
  }

  /** A shareable /dev/shm is a tmpfs of the engine's; a joined one is the other container's; otherwise the spec makes its own. */
  private prepareShm({ record }: Container): string | undefined {
    const { paths } = this.deps;
    const mode = record.hostConfig.IpcMode;
    const other = containerOf(mode);
    if (other !== undefined) return paths.shm(this.donor(other, "IPC").id);
    if (mode !== "shareable") return undefined;
    const path = paths.shm(record.id);
    mkdirSync(path, { recursive: true, mode: 0o1777 });
    const size = record.hostConfig.ShmSize ?? 64 << 20;
    mount({ source: "shm", target: path, type: "tmpfs", flags: 2 | 4 | 8, data: `mode=1777,size=${size}` });
    return path;
  }

  private async startTask(container: Container, runtime: OciRuntime): Promise<{ shim: Shim; pid: number }> {
    const { paths, cgroups, host, shims } = this.deps;
    const { record } = container;
    const { config, hostConfig, id } = record;
    const terminal = config.Tty === true;
    const task = paths.task(id);
    const oomFile = oomCountFile(cgroups, this.cgroupPath(record));
    const unified = host.cgroupMode === "hybrid" ? cgroups.cgroupUnified : undefined;
    const log = logSettings(record, paths.log(id));
    const [rows, cols] = hostConfig.ConsoleSize ?? [0, 0];
    const pending = [...container.pendingAttaches];
    const shim = shims.spawn({
      directory: task,
      runtimeArgv: runArgv(runtime, paths.runtimeState(), task, id),
      terminal,
      ...(rows > 0 && cols > 0 ? { rows, cols } : {}),
      stdin: stdinMode(config.OpenStdin === true, config.StdinOnce === true, terminal),
      waitAttach: pending.length,
      ...(log ? { log } : {}),
      ...(oomFile === undefined ? {} : { oomFile }),
      ...(unified === undefined ? {} : { hideCgroup2: unified }),
      cwd: task,
      env: environmentOf(runtime),
    });
    try {
      await shim.ready;
      const connected = Promise.all(pending.map((attach) => attach.connect(shim)));
      connected.catch(() => undefined);
      // First: a runtime that fails ends the shim under its clients, and its own words tell why.
      const pid = await shim.started;
      await connected;
      return { shim, pid };
    } catch (error) {
      shim.close();
      if (error instanceof RuntimeStartError)
        throw translateStartError(error.message, commandOf(config)[0] ?? "", error);
      throw error;
    }
  }
}

/** What a container's resolv.conf, hosts and hostname are made from. */
export function networkFiles(
  { hostConfig, config }: ContainerRecord,
  { Networks: networks }: NetworkSettings,
  directory: string,
): NetworkFilesRequest {
  const hostMode = hostConfig.NetworkMode === "host";
  return {
    directory,
    hostname: config.Hostname ?? "",
    domainname: config.Domainname ?? "",
    extraHosts: hostConfig.ExtraHosts,
    addresses: [],
    dns: hostConfig.Dns,
    dnsSearch: hostConfig.DnsSearch,
    dnsOptions: hostConfig.DnsOptions,
    ipv6: spokenFamilies(hostConfig).includes(6),
    mode: hostMode ? "host" : hostConfig.NetworkMode === "none" ? "none" : "bridge",
    nameService: Object.keys(networks).some((name) => !predefinedNames.includes(name)),
  };
}

/** Of both versions. */
export function endpointAddresses({ IPAddress, GlobalIPv6Address }: EndpointSettings): string[] {
  return [IPAddress, GlobalIPv6Address].filter((address): address is string => Boolean(address));
}

export function sandboxRequest(record: ContainerRecord): SandboxRequest {
  const { id, networkOf = id, name, config, hostConfig, networking } = record;
  return { containerId: networkOf, name, config, hostConfig, networking };
}

/** `container:web` → `web`. */
export function containerOf(mode: string | undefined): string | undefined {
  return mode?.startsWith("container:") ? mode.slice("container:".length) : undefined;
}

/** With a terminal the end of a client's input is not the end of the container's: Docker leaves it open. */
export function stdinMode(open: boolean, once: boolean, terminal: boolean): "none" | "once" | "open" {
  if (!open) return "none";
  return once && !terminal ? "once" : "open";
}
