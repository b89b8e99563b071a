/** The structs behind `info`, `version` and `events` templates. Source: docker's CLI and API client, API 1.51. */
import { GoSchema } from "./go-schema.ts";

const clientVersion = `
  Version?:string APIVersion=ApiVersion?:string DefaultAPIVersion?:string GitCommit?:string GoVersion?:string Os?:string Arch?:string
  BuildTime?:string Context:string`;

const info = `
  ID:string Containers:int ContainersRunning:int ContainersPaused:int ContainersStopped:int Images:int Driver:string
  DriverStatus:[][]string SystemStatus?:[][]string Plugins:system.PluginsInfo MemoryLimit:bool SwapLimit:bool KernelMemory?:bool
  KernelMemoryTCP?:bool CPUCfsPeriod=CpuCfsPeriod:bool CPUCfsQuota=CpuCfsQuota:bool CPUShares:bool CPUSet:bool PidsLimit:bool
  IPv4Forwarding:bool Debug:bool NFd:int OomKillDisable:bool NGoroutines:int SystemTime:string LoggingDriver:string CgroupDriver:string
  CgroupVersion?:string NEventsListener:int KernelVersion:string OperatingSystem:string OSVersion:string OSType:string
  Architecture:string IndexServerAddress:string RegistryConfig:*registry.ServiceConfig NCPU:int MemTotal:int64 GenericResources:[]any
  DockerRootDir:string HTTPProxy=HttpProxy:string HTTPSProxy=HttpsProxy:string NoProxy:string Name:string Labels:[]string
  ExperimentalBuild:bool ServerVersion:string Runtimes:map[string]system.RuntimeWithStatus DefaultRuntime:string Swarm:swarm.Info
  LiveRestoreEnabled:bool Isolation:string InitBinary:string ContainerdCommit:system.Commit RuncCommit:system.Commit
  InitCommit:system.Commit SecurityOptions:[]string ProductLicense?:string DefaultAddressPools?:[]system.NetworkAddressPool
  FirewallBackend?:*system.FirewallInfo CDISpecDirs:[]string Containerd?:*system.ContainerdInfo Warnings:[]string`;

export const systemTypes = new GoSchema({
  "system.clientInfo": `Debug:bool ${clientVersion} Plugins:[]manager.Plugin Warnings:[]string`,
  "manager.Plugin":
    "SchemaVersion?:string Vendor?:string Version?:string ShortDescription?:string URL?:string Hidden?:bool Name?:string Path?:string Err?:any ShadowedPaths?:[]string",
  "system.clientVersion": clientVersion,
  "system.dockerInfo": `${info} ServerErrors?:[]string UserName=:string ClientInfo?:*system.clientInfo ClientErrors?:[]string`,
  "system.sparseInfo": "ClientInfo?:*system.clientInfo ClientErrors?:[]string",
  "system.PluginsInfo": "Volume:[]string Network:[]string Authorization:[]string Log:[]string",
  "registry.ServiceConfig":
    "IndexConfigs:map[string]*registry.IndexInfo InsecureRegistryCIDRs:[]string Mirrors:[]string",
  "registry.IndexInfo": "Mirrors:[]string Name:string Official:bool Secure:bool",
  "system.RuntimeWithStatus":
    "Path=path?:string Args=runtimeArgs?:[]string Type=runtimeType?:string Status=status?:map[string]string",
  "swarm.Info":
    "NodeID:string NodeAddr:string LocalNodeState:string ControlAvailable:bool Error:string RemoteManagers:[]any",
  "system.Commit": "ID:string Expected?:string",
  "system.NetworkAddressPool": "Base:string Size:int",
  "system.FirewallInfo": "Driver:string Info?:[][]string",
  "system.ContainerdInfo": "Address?:string Namespaces:system.ContainerdNamespaces",
  "system.ContainerdNamespaces": "Containers:string Plugins:string",

  "system.versionInfo": "Client:system.clientVersion Server:*types.Version",
  "types.Version": `
    Platform:types.Platform Components?:[]types.ComponentVersion Version:string APIVersion=ApiVersion:string MinAPIVersion?:string
    GitCommit:string GoVersion:string Os:string Arch:string KernelVersion?:string Experimental?:bool BuildTime?:string`,
  "types.Platform": "Name:string",
  "types.ComponentVersion": "Name:string Version:string Details?:map[string]string",

  "events.Message": `
    Status=status?:string ID=id?:string From=from?:string Type:string Action:string Actor:events.Actor Scope=scope?:string
    Time=time?:int64 TimeNano=timeNano?:int64`,
  "events.Actor": "ID:string Attributes:map[string]string",

  "formatter.diskUsageContext": "Images:[]any Containers:[]any Volumes:[]any BuildCache:[]any",
});
