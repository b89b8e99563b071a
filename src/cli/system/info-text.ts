/** The text of `info`. */
import type { SystemInfo } from "../../api/system.ts";
import { bytesSize } from "../format/units.ts";
import type { CliPlugin } from "../plugins/plugins.ts";
import type { ClientVersion } from "./client-version.ts";

interface RegistryConfig {
  IndexConfigs?: Record<string, { Name: string; Secure: boolean }> | null;
  InsecureRegistryCIDRs?: string[] | null;
  Mirrors?: string[] | null;
}

/** `GET /info` with the fields that are shown. */
export interface ServerInfo extends SystemInfo {
  LoggingDriver?: string;
  Plugins?: { Volume?: string[]; Network?: string[]; Authorization?: string[] | null; Log?: string[] | null };
  CDISpecDirs?: string[] | null;
  Swarm?: { LocalNodeState?: string };
  InitBinary?: string;
  ContainerdCommit?: { ID: string };
  RuncCommit?: { ID: string };
  InitCommit?: { ID: string };
  FirewallBackend?: { Driver: string; Info?: [string, string][] };
  Debug?: boolean;
  NFd?: number;
  NGoroutines?: number;
  SystemTime?: string;
  HttpProxy?: string;
  HttpsProxy?: string;
  NoProxy?: string;
  ExperimentalBuild?: boolean;
  RegistryConfig?: RegistryConfig | null;
  LiveRestoreEnabled?: boolean;
  ProductLicense?: string;
  DefaultAddressPools?: { Base: string; Size: number }[] | null;
}

export function clientLines(client: ClientVersion & { Debug: boolean; Plugins: readonly CliPlugin[] }): string[] {
  return [
    ` Version:    ${client.Version}`,
    ` Context:    ${client.Context}`,
    ` Debug Mode: ${client.Debug}`,
    ...(client.Plugins.length > 0 ? [" Plugins:"] : []),
    ...client.Plugins.flatMap(clientPluginLines),
  ];
}

function clientPluginLines({ Name, ShortDescription, Vendor, Version, Path, Err }: CliPlugin): string[] {
  if (Err !== undefined) return [];
  const head = `  ${Name}: ${ShortDescription ?? ""} (${Vendor})`;
  return [head, ...some("    Version: ", Version), ...some("    Path:    ", Path)];
}

/** A line that is left out where the value is empty. */
function some(label: string, value: string | undefined): string[] {
  return value ? [`${label} ${value}`] : [];
}

export function serverLines(info: ServerInfo, user: string, debug: boolean): string[] {
  return [
    ...stateLines(info),
    ...pluginLines(info),
    ...runtimeLines(info),
    ...hostLines(info, debug),
    ...configLines(info, user),
  ];
}

function stateLines(info: ServerInfo): string[] {
  return [
    ` Containers: ${info.Containers}`,
    `  Running: ${info.ContainersRunning}`,
    `  Paused: ${info.ContainersPaused}`,
    `  Stopped: ${info.ContainersStopped}`,
    ` Images: ${info.Images}`,
    ...some(" Server Version:", info.ServerVersion),
    ...some(" Storage Driver:", info.Driver),
    ...(info.DriverStatus ?? []).map(([name, value]) => `  ${name}: ${value}`),
    ...some(" Logging Driver:", info.LoggingDriver),
    ...some(" Cgroup Driver:", info.CgroupDriver),
    ...some(" Cgroup Version:", info.CgroupVersion),
  ];
}

function pluginLines({ Plugins = {}, CDISpecDirs, Swarm }: ServerInfo): string[] {
  const joined = (names: string[] | null | undefined) => (names ?? []).join(" ");
  const directories = CDISpecDirs ?? [];
  return [
    " Plugins:",
    `  Volume: ${joined(Plugins.Volume)}`,
    `  Network: ${joined(Plugins.Network)}`,
    ...some("  Authorization:", joined(Plugins.Authorization)),
    `  Log: ${joined(Plugins.Log)}`,
    ...(directories.length > 0 ? [" CDI spec directories:", ...directories.map((path) => `  ${path}`)] : []),
    ` Swarm: ${Swarm?.LocalNodeState ?? ""}`,
  ];
}

function runtimeLines(info: ServerInfo): string[] {
  const names = Object.keys(info.Runtimes ?? {}).sort();
  const lines = names.length > 0 ? [` Runtimes: ${names.join(" ")}`, ` Default Runtime: ${info.DefaultRuntime}`] : [];
  if (info.OSType !== "linux") return lines;
  lines.push(
    ` Init Binary: ${info.InitBinary ?? ""}`,
    ` containerd version: ${info.ContainerdCommit?.ID ?? ""}`,
    ` runc version: ${info.RuncCommit?.ID ?? ""}`,
    ` init version: ${info.InitCommit?.ID ?? ""}`,
  );
  const options = info.SecurityOptions ?? [];
  if (options.length > 0) lines.push(" Security Options:", ...options.flatMap(securityLines));
  return lines;
}

/** `name=seccomp,profile=builtin` */
function securityLines(option: string): string[] {
  const pairs = option.split(",").map((part) => part.split("=") as [string, string?]);
  const name = pairs.find(([key]) => key === "name")?.[1] ?? option;
  return [`  ${name}`, ...pairs.filter(([key]) => key === "profile").map(([, value]) => `   Profile: ${value}`)];
}

function hostLines(info: ServerInfo, debug: boolean): string[] {
  const lines = [
    ...some(" Kernel Version:", info.KernelVersion),
    ...some(" Operating System:", info.OperatingSystem),
    ...some(" OSType:", info.OSType),
    ...some(" Architecture:", info.Architecture),
    ` CPUs: ${info.NCPU}`,
    ` Total Memory: ${bytesSize(info.MemTotal)}`,
    ...some(" Name:", info.Name),
    ...some(" ID:", info.ID),
    ` Docker Root Dir: ${info.DockerRootDir}`,
    ` Debug Mode: ${info.Debug ?? false}`,
  ];
  if (info.Debug || debug) {
    lines.push(
      `  File Descriptors: ${info.NFd ?? 0}`,
      `  Goroutines: ${info.NGoroutines ?? 0}`,
      `  System Time: ${info.SystemTime ?? ""}`,
      `  EventsListeners: ${info.NEventsListener}`,
    );
  }
  return lines;
}

function configLines(info: ServerInfo, user: string): string[] {
  const labels = info.Labels ?? [];
  const pools = info.DefaultAddressPools ?? [];
  const firewall = info.FirewallBackend;
  return [
    ...some(" HTTP Proxy:", info.HttpProxy),
    ...some(" HTTPS Proxy:", info.HttpsProxy),
    ...some(" No Proxy:", info.NoProxy),
    ...some(" Username:", user),
    ...(labels.length > 0 ? [" Labels:", ...labels.map((label) => `  ${label}`)] : []),
    ` Experimental: ${info.ExperimentalBuild ?? false}`,
    ...registryLines(info.RegistryConfig ?? {}),
    ` Live Restore Enabled: ${info.LiveRestoreEnabled ?? false}`,
    ...some(" Product License:", info.ProductLicense),
    ...(pools.length > 0 ? [" Default Address Pools:"] : []),
    ...pools.map(({ Base, Size }) => `   Base: ${Base}, Size: ${Size}`),
    ...(firewall ? [` Firewall Backend: ${firewall.Driver}`] : []),
    ...(firewall?.Info ?? []).map(([name, value]) => `  ${name}: ${value}`),
  ];
}

function registryLines({ IndexConfigs, InsecureRegistryCIDRs, Mirrors }: RegistryConfig): string[] {
  const indexes = Object.values(IndexConfigs ?? {});
  const ranges = InsecureRegistryCIDRs ?? [];
  const insecure = indexes.filter(({ Secure }) => !Secure).map(({ Name }) => Name);
  const mirrors = Mirrors ?? [];
  return [
    ...(ranges.length > 0 || indexes.length > 0 ? [" Insecure Registries:"] : []),
    ...[...insecure, ...ranges].map((name) => `  ${name}`),
    ...(mirrors.length > 0 ? [" Registry Mirrors:", ...mirrors.map((mirror) => `  ${mirror}`)] : []),
  ];
}
