import { expect, test } from "bun:test";
import type { ContainerCreateRequest } from "../api/containers.ts";
import { moveInterfaceSysctls } from "./interface-sysctls.ts";

const asked = (Sysctls: Record<string, string>, more: object = {}): ContainerCreateRequest => ({
  Image: "x",
  HostConfig: { Sysctls, ...more },
});
const eth0 = "net.ipv4.conf.eth0.log_martians";

test("for older clients those of eth0 go to the endpoint", () => {
  const request = asked({ [eth0]: "1", "net.ipv4.conf.all.forwarding": "0" }, { NetworkMode: "app" });
  moveInterfaceSysctls(request, 47);
  expect(request.HostConfig?.Sysctls).toEqual({ "net.ipv4.conf.all.forwarding": "0" });
  expect(request.NetworkingConfig?.EndpointsConfig).toEqual({
    app: { DriverOpts: { "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1" } },
  });
});

test("others, and those of newer clients, are refused", () => {
  expect(() => moveInterfaceSysctls(asked({ [eth0]: "1" }), 48)).toThrow(`setting "${eth0}" must be supplied using`);
  expect(() => moveInterfaceSysctls(asked({ "net.ipv6.conf.eth1.x": "1" }), 43)).toThrow(
    "unable to determine network endpoint for sysctl net.ipv6.conf.eth1.x",
  );
});

test("without an interface of its own nothing is changed", () => {
  const request = asked({ [eth0]: "1" }, { NetworkMode: "host" });
  moveInterfaceSysctls(request, 51);
  expect(request).toEqual(asked({ [eth0]: "1" }, { NetworkMode: "host" }));
});
