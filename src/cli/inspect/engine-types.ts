/** The structs of docker's API client for what `inspect -f` shows. Source: github.com/moby/moby/api/types, API 1.51. */
import { GoSchema } from "./go-schema.ts";

const container: Record<string, string> = {
  "container.InspectResponse": `
    ID=Id:string Created:string Path:string Args:[]string State:*container.State Image:string ResolvConfPath:string HostnamePath:string
    HostsPath:string LogPath:string Name:string RestartCount:int Driver:string Platform:string MountLabel:string ProcessLabel:string
    AppArmorProfile:string ExecIDs:[]string HostConfig:*container.HostConfig GraphDriver:storage.DriverData SizeRw?:*int64
    SizeRootFs?:*int64 Mounts:[]container.MountPoint Config:*container.Config NetworkSettings:*container.NetworkSettings
    ImageManifestDescriptor?:*v1.Descriptor`,
  "container.State": `
    Status:string Running:bool Paused:bool Restarting:bool OOMKilled:bool Dead:bool Pid:int ExitCode:int Error:string StartedAt:string
    FinishedAt:string Health?:*container.Health`,
  "container.Health": "Status:string FailingStreak:int Log:[]*container.HealthcheckResult",
  "container.HealthcheckResult": "Start:time.Time End:time.Time ExitCode:int Output:string",
  "container.LogConfig": "Type:string Config:map[string]string",
  "container.RestartPolicy": "Name:string MaximumRetryCount:int",
  "container.MountPoint":
    "Type?:string Name?:string Source:string Destination:string Driver?:string Mode:string RW:bool Propagation:string",
  "container.HostConfig": `
    Binds:[]string ContainerIDFile:string LogConfig:container.LogConfig NetworkMode:string PortBindings:map[string][]nat.PortBinding
    RestartPolicy:container.RestartPolicy AutoRemove:bool VolumeDriver:string VolumesFrom:[]string ConsoleSize:[]int
    Annotations?:map[string]string CapAdd:[]string CapDrop:[]string CgroupnsMode:string DNS=Dns:[]string DNSOptions=DnsOptions:[]string
    DNSSearch=DnsSearch:[]string ExtraHosts:[]string GroupAdd:[]string IpcMode:string Cgroup:string Links:[]string OomScoreAdj:int
    PidMode:string Privileged:bool PublishAllPorts:bool ReadonlyRootfs:bool SecurityOpt:[]string StorageOpt?:map[string]string
    Tmpfs?:map[string]string UTSMode:string UsernsMode:string ShmSize:int64 Sysctls?:map[string]string Runtime?:string Isolation:string
    CPUShares=CpuShares:int64 Memory:int64 NanoCPUs=NanoCpus:int64 CgroupParent:string BlkioWeight:int
    BlkioWeightDevice:[]*blkiodev.WeightDevice BlkioDeviceReadBps:[]*blkiodev.ThrottleDevice
    BlkioDeviceWriteBps:[]*blkiodev.ThrottleDevice BlkioDeviceReadIOps:[]*blkiodev.ThrottleDevice
    BlkioDeviceWriteIOps:[]*blkiodev.ThrottleDevice CPUPeriod=CpuPeriod:int64 CPUQuota=CpuQuota:int64
    CPURealtimePeriod=CpuRealtimePeriod:int64 CPURealtimeRuntime=CpuRealtimeRuntime:int64 CpusetCpus:string CpusetMems:string
    Devices:[]container.DeviceMapping DeviceCgroupRules:[]string DeviceRequests:[]container.DeviceRequest KernelMemory?:int64
    KernelMemoryTCP?:int64 MemoryReservation:int64 MemorySwap:int64 MemorySwappiness:*int64 OomKillDisable:*bool PidsLimit:*int64
    Ulimits:[]*units.Ulimit CPUCount=CpuCount:int64 CPUPercent=CpuPercent:int64 IOMaximumIOps:int IOMaximumBandwidth:int
    Mounts?:[]mount.Mount MaskedPaths:[]string ReadonlyPaths:[]string Init?:*bool`,
  "container.DeviceMapping": "PathOnHost:string PathInContainer:string CgroupPermissions:string",
  "container.DeviceRequest":
    "Driver:string Count:int DeviceIDs:[]string Capabilities:[][]string Options:map[string]string",
  "blkiodev.WeightDevice": "Path:string Weight:int",
  "blkiodev.ThrottleDevice": "Path:string Rate:int",
  "units.Ulimit": "Name:string Hard:int64 Soft:int64",
  "nat.PortBinding": "HostIP=HostIp:string HostPort:string",
  "mount.Mount": `
    Type?:string Source?:string Target?:string ReadOnly?:bool Consistency?:string BindOptions?:*mount.BindOptions
    VolumeOptions?:*mount.VolumeOptions TmpfsOptions?:*mount.TmpfsOptions`,
  "mount.BindOptions":
    "Propagation?:string NonRecursive?:bool CreateMountpoint?:bool ReadOnlyNonRecursive?:bool ReadOnlyForceRecursive?:bool",
  "mount.VolumeOptions": "NoCopy?:bool Labels?:map[string]string Subpath?:string DriverConfig?:*mount.Driver",
  "mount.Driver": "Name?:string Options?:map[string]string",
  "mount.TmpfsOptions": "SizeBytes?:int64 Mode?:int",
  "container.Config": `
    Hostname:string Domainname:string User:string AttachStdin:bool AttachStdout:bool AttachStderr:bool ExposedPorts?:map[string]struct{}
    Tty:bool OpenStdin:bool StdinOnce:bool Env:[]string Cmd:[]string Healthcheck?:*container.HealthConfig ArgsEscaped?:bool Image:string
    Volumes:map[string]struct{} WorkingDir:string Entrypoint:[]string NetworkDisabled?:bool MacAddress?:string OnBuild:[]string
    Labels:map[string]string StopSignal?:string StopTimeout?:*int Shell?:[]string`,
  "container.HealthConfig": `
    Test?:[]string Interval?:time.Duration Timeout?:time.Duration StartPeriod?:time.Duration StartInterval?:time.Duration Retries?:int`,
  "container.NetworkSettings": `
    Bridge:string SandboxID:string SandboxKey:string Ports:map[string][]nat.PortBinding HairpinMode:bool LinkLocalIPv6Address:string
    LinkLocalIPv6PrefixLen:int SecondaryIPAddresses:[]network.Address SecondaryIPv6Addresses:[]network.Address EndpointID:string
    Gateway:string GlobalIPv6Address:string GlobalIPv6PrefixLen:int IPAddress:string IPPrefixLen:int IPv6Gateway:string
    MacAddress:string Networks:map[string]*network.EndpointSettings`,
  "network.Address": "Addr:string PrefixLen:int",
  "network.EndpointSettings": `
    IPAMConfig:*network.EndpointIPAMConfig Links:[]string Aliases:[]string MacAddress:string DriverOpts:map[string]string GwPriority:int
    NetworkID:string EndpointID:string Gateway:string IPAddress:string IPPrefixLen:int IPv6Gateway:string GlobalIPv6Address:string
    GlobalIPv6PrefixLen:int DNSNames:[]string`,
  "network.EndpointIPAMConfig": "IPv4Address?:string IPv6Address?:string LinkLocalIPs?:[]string",
};

const others: Record<string, string> = {
  "storage.DriverData": "Data:map[string]string Name:string",
  "v1.Descriptor":
    "MediaType=mediaType:string Digest=digest:string Size=size:int64 Annotations=annotations?:map[string]string",
  "image.InspectResponse": `
    ID=Id:string RepoTags:[]string RepoDigests:[]string Parent:string Comment:string Created?:string DockerVersion:string Author:string
    Config:*v1.DockerOCIImageConfig Architecture:string Variant?:string Os:string OsVersion?:string Size:int64 VirtualSize?:int64
    GraphDriver:storage.DriverData RootFS:image.RootFS Metadata:image.Metadata Descriptor?:*v1.Descriptor Container?:string
    ContainerConfig?:*container.Config`,
  "image.RootFS": "Type:string Layers?:[]string",
  "image.Metadata": "LastTagTime?:time.Time",
  "v1.DockerOCIImageConfig": `
    User?:string ExposedPorts?:map[string]struct{} Env?:[]string Entrypoint?:[]string Cmd?:[]string Volumes?:map[string]struct{}
    WorkingDir?:string Labels?:map[string]string StopSignal?:string ArgsEscaped?:bool Healthcheck?:*container.HealthConfig
    OnBuild?:[]string Shell?:[]string`,
  "network.Inspect": `
    Name:string ID=Id:string Created:time.Time Scope:string Driver:string EnableIPv4:bool EnableIPv6:bool IPAM:network.IPAM Internal:bool
    Attachable:bool Ingress:bool ConfigFrom:network.ConfigReference ConfigOnly:bool Containers:map[string]network.EndpointResource
    Options:map[string]string Labels:map[string]string`,
  "network.IPAM": "Driver:string Options:map[string]string Config:[]network.IPAMConfig",
  "network.IPAMConfig":
    "Subnet?:string IPRange?:string Gateway?:string AuxAddress=AuxiliaryAddresses?:map[string]string",
  "network.ConfigReference": "Network:string",
  "network.EndpointResource": "Name:string EndpointID:string MacAddress:string IPv4Address:string IPv6Address:string",
  "volume.ClusterVolume": "ID:string",
  "volume.Volume": `
    ClusterVolume?:*volume.ClusterVolume CreatedAt?:string Driver:string Labels:map[string]string Mountpoint:string Name:string Options:map[string]string Scope:string
    Status?:map[string]any UsageData?:*volume.UsageData`,
  "volume.UsageData": "RefCount:int64 Size:int64",
};

export const engineTypes = new GoSchema({ ...container, ...others });
