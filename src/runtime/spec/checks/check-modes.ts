/** Namespace modes (`host`, `container:X`, …) and the options that contradict them. */
import type { ContainerConfig, HostConfig } from "../../../api/container-config.ts";
import { invalidArgument } from "../../../base/errors.ts";

/** Throws Docker's messages. Whether a container that a mode names exists is for the caller to say. */
export function checkModes(config: ContainerConfig, hostConfig: HostConfig): void {
  checkNetworkMode(config, hostConfig);
  const { IpcMode = "", PidMode = "", UTSMode = "", CgroupnsMode = "" } = hostConfig;
  if (!/^(|none|private|shareable|host|container:.*)$/s.test(IpcMode)) throw invalid("IPC mode", IpcMode);
  if (!/^(|host|container:.+)$/s.test(PidMode)) throw invalid("PID mode", PidMode);
  if (!/^(|host)$/.test(UTSMode)) throw invalid("UTS mode", UTSMode);
  if (!/^(|private|host)$/.test(CgroupnsMode)) throw invalid("cgroup namespace mode", CgroupnsMode);
}

function checkNetworkMode(config: ContainerConfig, hostConfig: HostConfig): void {
  const { NetworkMode = "", UTSMode, Links, Dns, ExtraHosts, PortBindings, PublishAllPorts } = hostConfig;
  if (UTSMode === "host" && config.Hostname) throw conflicting("hostname and the UTS mode");
  if (NetworkMode === "host" && Links?.length) {
    throw conflicting("host type networking can't be used with links. This would result in undefined behavior");
  }
  if (!NetworkMode.startsWith("container:")) return;
  if (NetworkMode === "container:") {
    throw invalid("network mode", "invalid container format container:<name|id>");
  }
  if (config.Hostname) throw conflicting("hostname and the network mode");
  if (Links?.length) {
    throw conflicting("container type network can't be used with links. This would result in undefined behavior");
  }
  if (Dns?.length) throw conflicting("dns and the network mode");
  if (ExtraHosts?.length) throw conflicting("custom host-to-IP mapping and the network mode");
  if (Object.keys(PortBindings ?? {}).length > 0 || PublishAllPorts) {
    throw conflicting("port publishing and the container type network mode");
  }
  if (Object.keys(config.ExposedPorts ?? {}).length > 0) {
    throw conflicting("port exposing and the container type network mode");
  }
}

function invalid(what: string, value: string) {
  return invalidArgument(`invalid ${what}: ${value}`);
}

function conflicting(what: string) {
  return invalidArgument(`conflicting options: ${what}`);
}
