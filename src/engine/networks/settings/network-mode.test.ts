import { expect, test } from "bun:test";
import type { ContainerConfig, HostConfig } from "../../../api/container-config.ts";
import type { EndpointSettings } from "../../../api/networks.ts";
import { networkMode, validateNetworking } from "./network-mode.ts";

const validate = (hostConfig: HostConfig, config: ContainerConfig = {}, endpoint?: EndpointSettings) =>
  validateNetworking({
    containerId: "id",
    name: "name",
    config,
    hostConfig,
    networking: endpoint && { EndpointsConfig: { bridge: endpoint } },
  });

test("modes", () => {
  const kind = (NetworkMode: string, config: ContainerConfig = {}) => networkMode(config, { NetworkMode }).kind;
  expect(["", "default", "bridge", "host", "none", "container:x", "foo"].map((mode) => kind(mode))).toEqual([
    "bridge",
    "bridge",
    "bridge",
    "host",
    "none",
    "container",
    "network",
  ]);
  expect(kind("bridge", { NetworkDisabled: true })).toBe("none");
});

// Each pair was recorded from dockerd 28.5.
const refused: [HostConfig, ContainerConfig, string][] = [
  [{ NetworkMode: "container:" }, {}, "invalid network mode: invalid container format container:<name|id>"],
  [
    { NetworkMode: "container:p", PortBindings: { "80/tcp": [{ HostPort: "1" }] } },
    {},
    "conflicting options: port publishing and the container type network mode",
  ],
  [
    { NetworkMode: "container:p", Links: ["p:x"] },
    {},
    "conflicting options: container type network can't be used with links. This would result in undefined behavior",
  ],
  [{ NetworkMode: "container:p" }, { Hostname: "aa" }, "conflicting options: hostname and the network mode"],
  [
    { NetworkMode: "container:p" },
    { ExposedPorts: { "80/tcp": {} } },
    "conflicting options: port exposing and the container type network mode",
  ],
  [{ NetworkMode: "container:p", Dns: ["1.1.1.1"] }, {}, "conflicting options: dns and the network mode"],
  [
    { NetworkMode: "container:p", ExtraHosts: ["a:1.1.1.1"] },
    {},
    "conflicting options: custom host-to-IP mapping and the network mode",
  ],
  [
    { NetworkMode: "host", Links: ["p:x"] },
    {},
    "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
  ],
  [{}, { MacAddress: "zz" }, "invalid config for network bridge: invalid MAC address zz"],
  [{ ExtraHosts: ["zz"] }, {}, 'bad format for add-host: "zz"'],
  [{ ExtraHosts: ["zz:foo"] }, {}, 'invalid IP address in add-host: "foo"'],
];

test.each(refused)("%j %j is refused", (hostConfig, config, message) => {
  expect(() => validate(hostConfig, config)).toThrow(message);
});

test("what is accepted, and with which warning", () => {
  expect(validate({ ExtraHosts: ["a:host-gateway", "b=fe80::1", "c:[::1]"], NetworkMode: "foo" })).toEqual([]);
  expect(validate({ NetworkMode: "host", PortBindings: { "80/tcp": [{ HostPort: "1" }] } })).toEqual([
    "Published ports are discarded when using host network mode",
  ]);
});
