/** The request bodies of the Engine API, as far as they are read. Source: the structs of moby's api/types (container, network, volume). */
import {
  array,
  boolean,
  command,
  integer,
  labels,
  map,
  object,
  type Schema,
  string,
  strings,
  unknown,
} from "./schema.ts";

const healthcheck = object({
  Test: strings,
  Interval: integer,
  Timeout: integer,
  StartPeriod: integer,
  StartInterval: integer,
  Retries: integer,
});

const configFields: Record<string, Schema> = {
  Hostname: string,
  Domainname: string,
  User: string,
  AttachStdin: boolean,
  AttachStdout: boolean,
  AttachStderr: boolean,
  ExposedPorts: map(unknown),
  Tty: boolean,
  OpenStdin: boolean,
  StdinOnce: boolean,
  Env: strings,
  Cmd: command,
  Healthcheck: healthcheck,
  ArgsEscaped: boolean,
  Image: string,
  Volumes: map(unknown),
  WorkingDir: string,
  Entrypoint: command,
  NetworkDisabled: boolean,
  MacAddress: string,
  OnBuild: strings,
  Labels: labels,
  StopSignal: string,
  StopTimeout: integer,
  Shell: command,
};

const portBindings = map(array(object({ HostIp: string, HostPort: string })));
const throttles = array(object({ Path: string, Rate: integer }));

const resourceFields: Record<string, Schema> = {
  CpuShares: integer,
  Memory: integer,
  NanoCpus: integer,
  CgroupParent: string,
  BlkioWeight: integer,
  BlkioWeightDevice: array(object({ Path: string, Weight: integer })),
  BlkioDeviceReadBps: throttles,
  BlkioDeviceWriteBps: throttles,
  BlkioDeviceReadIOps: throttles,
  BlkioDeviceWriteIOps: throttles,
  CpuPeriod: integer,
  CpuQuota: integer,
  CpuRealtimePeriod: integer,
  CpuRealtimeRuntime: integer,
  CpusetCpus: string,
  CpusetMems: string,
  Devices: array(object({ PathOnHost: string, PathInContainer: string, CgroupPermissions: string })),
  DeviceCgroupRules: strings,
  DeviceRequests: array(
    object({ Driver: string, Count: integer, DeviceIDs: strings, Capabilities: array(strings), Options: labels }),
  ),
  KernelMemory: integer,
  KernelMemoryTCP: integer,
  MemoryReservation: integer,
  MemorySwap: integer,
  MemorySwappiness: integer,
  OomKillDisable: boolean,
  PidsLimit: integer,
  Ulimits: array(object({ Name: string, Soft: integer, Hard: integer })),
  CpuCount: integer,
  CpuPercent: integer,
  IOMaximumIOps: integer,
  IOMaximumBandwidth: integer,
};

const restartPolicy = object({ Name: string, MaximumRetryCount: integer });

const mount = object({
  Type: string,
  Source: string,
  Target: string,
  ReadOnly: boolean,
  Consistency: string,
  BindOptions: object({
    Propagation: string,
    NonRecursive: boolean,
    CreateMountpoint: boolean,
    ReadOnlyNonRecursive: boolean,
    ReadOnlyForceRecursive: boolean,
  }),
  VolumeOptions: object({
    NoCopy: boolean,
    Labels: labels,
    DriverConfig: object({ Name: string, Options: labels }),
    Subpath: string,
  }),
  TmpfsOptions: object({ SizeBytes: integer, Mode: integer, Options: array(strings) }),
  ImageOptions: object({ Subpath: string }),
  ClusterOptions: unknown,
});

const hostConfig = object({
  ...resourceFields,
  Binds: strings,
  ContainerIDFile: string,
  LogConfig: object({ Type: string, Config: labels }),
  NetworkMode: string,
  PortBindings: portBindings,
  RestartPolicy: restartPolicy,
  AutoRemove: boolean,
  VolumeDriver: string,
  VolumesFrom: strings,
  ConsoleSize: array(integer),
  Annotations: labels,
  Mounts: array(mount),
  CapAdd: command,
  CapDrop: command,
  CgroupnsMode: string,
  Dns: strings,
  DnsOptions: strings,
  DnsSearch: strings,
  ExtraHosts: strings,
  GroupAdd: strings,
  IpcMode: string,
  Cgroup: string,
  Links: strings,
  OomScoreAdj: integer,
  PidMode: string,
  Privileged: boolean,
  PublishAllPorts: boolean,
  ReadonlyRootfs: boolean,
  SecurityOpt: strings,
  StorageOpt: labels,
  Tmpfs: labels,
  UTSMode: string,
  UsernsMode: string,
  ShmSize: integer,
  Sysctls: labels,
  Runtime: string,
  Isolation: string,
  MaskedPaths: strings,
  ReadonlyPaths: strings,
  Init: boolean,
});

const endpoint = object({
  IPAMConfig: object({ IPv4Address: string, IPv6Address: string, LinkLocalIPs: strings }),
  Links: strings,
  Aliases: strings,
  MacAddress: string,
  DriverOpts: labels,
  GwPriority: integer,
  NetworkID: string,
  EndpointID: string,
  Gateway: string,
  IPAddress: string,
  IPPrefixLen: integer,
  IPv6Gateway: string,
  GlobalIPv6Address: string,
  GlobalIPv6PrefixLen: integer,
  DNSNames: strings,
});

export const containerConfig = object(configFields);

export const containerCreate = object({
  ...configFields,
  HostConfig: hostConfig,
  NetworkingConfig: object({ EndpointsConfig: map(endpoint) }),
});

export const containerUpdate = object({ ...resourceFields, RestartPolicy: restartPolicy, PortBindings: portBindings });

export const execCreate = object({
  User: string,
  Privileged: boolean,
  Tty: boolean,
  ConsoleSize: array(integer),
  AttachStdin: boolean,
  AttachStderr: boolean,
  AttachStdout: boolean,
  Detach: boolean,
  DetachKeys: string,
  Env: strings,
  WorkingDir: string,
  Cmd: command,
});

export const execStart = object({ Detach: boolean, Tty: boolean, ConsoleSize: array(integer) });

export const volumeCreate = object({
  Name: string,
  Driver: string,
  DriverOpts: labels,
  Labels: labels,
  ClusterVolumeSpec: unknown,
});

export const networkCreate = object({
  Name: string,
  CheckDuplicate: boolean,
  Driver: string,
  Scope: string,
  Internal: boolean,
  Attachable: boolean,
  Ingress: boolean,
  ConfigOnly: boolean,
  ConfigFrom: object({ Network: string }),
  IPAM: object({
    Driver: string,
    Options: labels,
    Config: array(object({ Subnet: string, IPRange: string, Gateway: string, AuxiliaryAddresses: labels })),
  }),
  EnableIPv4: boolean,
  EnableIPv6: boolean,
  Options: labels,
  Labels: labels,
});

export const networkConnect = object({ Container: string, EndpointConfig: endpoint });

export const networkDisconnect = object({ Container: string, Force: boolean });
