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
  [{}, { MacAddress: "zz" }, "invalid config for network bridge: invalid MAC address zz"],
  [{ ExtraHosts: ["zz"] }, {}, 'bad format for add-host: "zz"'],
  [{ ExtraHosts: ["zz:foo"] }, {}, 'invalid IP address in add-host: "foo"'],
];

test.each(refused)("%j %j is refused", (hostConfig, config, message) => {
  expect(() => validate(hostConfig, config)).toThrow(message);
});

test("a network that is not the mode's own has its address checked, too", () => {
  expect(() => validate({ NetworkMode: "foo" }, {}, { MacAddress: "zz" })).toThrow(
    "invalid config for network bridge: invalid MAC address zz",
  );
});

test("what is accepted", () => {
  validate({ ExtraHosts: ["a:host-gateway", "b=fe80::1", "c:[::1]"], NetworkMode: "foo" });
  validate({ NetworkMode: "host", PortBindings: { "80/tcp": [{ HostPort: "1" }] } });
  validate({ NetworkMode: "container:p" }, { ExposedPorts: { "80/tcp": {} } });
});
