import { describe, expect, test } from "bun:test";
import type { ContainerStatus } from "../../api/containers.ts";
import { apiVersion } from "../../api/system.ts";
import type { HostFacts } from "../../linux/host-facts.ts";
import { EventBus } from "../events/event-bus.ts";
import { parseOsRelease } from "./host-identity.ts";
import { RequestMetrics } from "./request-metrics.ts";
import { System, type SystemOptions } from "./system.ts";

const limits = {
  memory: true,
  swap: false,
  memoryReservation: true,
  oomKillDisable: true,
  swappiness: true,
  kernelMemoryTcp: false,
  cpuShares: true,
  cpuQuota: true,
  cpuRealtime: false,
  cpuset: true,
  pids: true,
  blkioWeight: true,
  blkioWeightDevice: true,
  blkioReadBps: true,
  blkioWriteBps: true,
  blkioReadIops: true,
  blkioWriteIops: true,
};

const host = {
  cgroupMode: "v2",
  cpus: 4,
  memory: 8e9,
  kernelRelease: "6.1.0",
  arch: "amd64",
  seccomp: true,
  apparmor: false,
  selinux: false,
  cgroupNamespaces: true,
  ipForward: true,
  limits,
} as unknown as HostFacts;

function newSystem(more: Partial<SystemOptions> = {}): System {
  return new System({
    id: "id",
    version: "1.2.3",
    commit: "abc",
    buildTime: "2026-01-01T00:00:00Z",
    config: {
      dataRoot: "/data",
      debug: false,
      labels: ["a=b"],
      runtimes: { crun: { path: "/nonexistent/crun" } },
      defaultRuntime: "crun",
      logDriver: "json-file",
      initBinary: "/init",
      firewall: true,
      registry: { mirrors: [], insecure: [] },
      seccompProfile: "builtin",
      noNewPrivileges: true,
      experimental: true,
      liveRestore: false,
      preferBuildkit: false,
      tcp: [
        { address: "0.0.0.0:2375", tls: false, verify: false },
        { address: "0.0.0.0:2376", tls: true, verify: true },
      ],
      addressPools: [{ base: "10.0.0.0/8", size: 24 }],
      cdiSpecDirs: ["/etc/cdi"],
      proxies: { http: "http://p:1", https: "", no: "" },
    },
    host,
    events: new EventBus(),
    requests: new RequestMetrics(),
    connections: () => 1000,
    containerStates: () => ["running", "restarting", "paused", "exited", "created"] as ContainerStatus[],
    imageCount: () => 7,
    listContainers: async () => [],
    listImages: async () => [],
    cdiDevices: () => ["v.com/d=a"],
    plugins: () => ({ volume: ["aaa"], authorization: [] }),
    volumesWithUsage: async () => [],
    layersSize: () => 99,
    buildCache: () => [],
    ...more,
  });
}

describe("info and version", () => {
  test("show the engine's state, the host and the configuration", async () => {
    expect(await newSystem().info()).toMatchObject({
      ID: "id",
      Containers: 5,
      ContainersRunning: 2,
      ContainersPaused: 1,
      ContainersStopped: 2,
      Images: 7,
      DockerRootDir: "/data",
      Labels: ["a=b"],
      CgroupVersion: "2",
      NCPU: 4,
      SwapLimit: false,
      HttpProxy: "http://p:1",
      CDISpecDirs: ["/etc/cdi"],
      DiscoveredDevices: [{ Source: "cdi", ID: "v.com/d=a" }],
      SecurityOptions: ["name=seccomp,profile=builtin", "name=cgroupns", "name=no-new-privileges"],
      Warnings: [
        expect.stringContaining("API is accessible on http://0.0.0.0:2375 without encryption"),
        "WARNING: No swap limit support",
      ],
      DefaultAddressPools: [{ Base: "10.0.0.0/8", Size: 24 }],
      ExperimentalBuild: true,
      Swarm: { LocalNodeState: "inactive" },
      LiveRestoreEnabled: false,
    });
  });

  test("count what runs at once, clients among it", async () => {
    expect((await newSystem().info()).NGoroutines).toBeGreaterThan(1000);
  });

  test("name the runtimes that can be run, and do without the others", async () => {
    const system = newSystem();
    await Bun.sleep(20);
    expect(system.version()).toMatchObject({
      Version: "1.2.3",
      ApiVersion: apiVersion,
      Os: "linux",
      KernelVersion: "6.1.0",
      Components: [{ Name: "Engine", Version: "1.2.3" }],
    });
  });

  test("os-release is read with its quotes and escapes", () => {
    expect(parseOsRelease(`# x\nPRETTY_NAME="Debian GNU/Linux 12"\nVERSION_ID='12'\nNAME="a\\"b"\n`)).toEqual({
      PRETTY_NAME: "Debian GNU/Linux 12",
      VERSION_ID: "12",
      NAME: 'a"b',
    });
  });
});

describe("disk usage", () => {
  test("measures what is asked for, once for all who ask at a time", async () => {
    let calls = 0;
    const system = newSystem({
      volumesWithUsage: async () => {
        calls++;
        await Bun.sleep(5);
        return [];
      },
      listImages: async () => {
        throw new Error("not asked for");
      },
    });
    await Promise.all([system.diskUsage(["volume", "container"]), system.diskUsage(["container", "volume"])]);
    expect(calls).toBe(1);
    expect(await system.diskUsage(["container"])).toEqual({
      LayersSize: 0,
      Images: [],
      Containers: [],
      Volumes: [],
      BuildCache: [],
    });
  });
});

describe("metrics", () => {
  test("count states, events and requests, and escape labels", async () => {
    const requests = new RequestMetrics();
    const events = new EventBus();
    events.publish({ type: "daemon", action: "reload", id: "id" });
    requests.observe("POST", "/containers/create", 201, 0.004);
    requests.observe("POST", "/containers/create", 201, 20);
    requests.observe("GET", 'a"b', 404, 0.5);
    const lines = (await newSystem({ requests, events }).metrics()).split("\n");
    for (const line of [
      'engine_daemon_container_states_containers{state="running"} 2',
      "engine_daemon_events_total 1",
      'gantry_api_requests_total{method="POST",path="/containers/create",code="201"} 2',
      'gantry_api_requests_total{method="GET",path="a\\"b",code="404"} 1',
      'engine_daemon_container_actions_seconds_bucket{action="create",le="0.0025"} 0',
      'engine_daemon_container_actions_seconds_bucket{action="create",le="0.005"} 1',
      'engine_daemon_container_actions_seconds_bucket{action="create",le="10"} 1',
      'engine_daemon_container_actions_seconds_bucket{action="create",le="+Inf"} 2',
      'engine_daemon_container_actions_seconds_count{action="create"} 2',
    ]) {
      expect(lines).toContain(line);
    }
    expect(lines.some((line) => /^process_resident_memory_bytes [1-9]\d+$/.test(line))).toBe(true);
  });
});
