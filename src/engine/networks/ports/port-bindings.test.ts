import { expect, test } from "bun:test";
import type { PortMap } from "../../../api/container-config.ts";
import { parsePortBindings, toPortMap } from "./port-bindings.ts";

const parse = (exposed: string[], bindings: PortMap, all = false) =>
  parsePortBindings(
    { ExposedPorts: Object.fromEntries(exposed.map((port) => [port, {}])) },
    { PortBindings: bindings, PublishAllPorts: all },
  );

test("exposed ports are sorted, and published where a binding asks for it", () => {
  const { exposed, requests } = parse(["443/tcp", "53/udp", "80"], {
    "80/tcp": [{ HostPort: "8080" }, { HostIp: "127.0.0.1", HostPort: "9000-9002" }],
    "53/udp": [{}],
    "99/tcp": [{ HostPort: "1" }],
  });
  expect(exposed.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`)).toEqual([
    "53/udp",
    "80/tcp",
    "443/tcp",
  ]);
  expect(requests).toEqual([
    { containerPort: 53, protocol: "udp", hostIp: "", firstHostPort: 0, lastHostPort: 0 },
    { containerPort: 80, protocol: "tcp", hostIp: "", firstHostPort: 8080, lastHostPort: 8080 },
    { containerPort: 80, protocol: "tcp", hostIp: "127.0.0.1", firstHostPort: 9000, lastHostPort: 9002 },
  ]);
});

test("publish-all gives each exposed port without a binding any host port", () => {
  const { requests } = parse(["80/tcp", "81/tcp"], { "80/tcp": [{ HostPort: "8080" }] }, true);
  expect(requests.map(({ containerPort, firstHostPort }) => [containerPort, firstHostPort])).toEqual([
    [80, 8080],
    [81, 0],
  ]);
});

test("what is no port is refused in dockerd's words", () => {
  expect(() => parse([], { "80000/tcp": [] })).toThrow('invalid port specification: "80000"');
  expect(() => parse([], { "foo/tcp": [] })).toThrow('invalid port specification: "foo"');
  expect(() => parse([], { "80/tcp": [{ HostPort: "foo" }] })).toThrow('invalid port specification: "foo"');
  expect(() => parse([], { "80/tcp": [{ HostPort: "99999" }] })).toThrow('invalid port specification: "99999"');
  expect(() => parse([], { "80/tcp": [{ HostPort: "9-8" }] })).toThrow('invalid port specification: "9-8"');
  expect(() => parse([], { "80/foo": [] })).toThrow("invalid proto: foo");
  expect(() => parse([], { "80/tcp": [{ HostIp: "::x", HostPort: "80" }] })).toThrow("invalid IP address: ::x");
});

test("the port map shows unpublished ports as null", () => {
  const exposed = parse(["80/tcp", "81/tcp"], {}).exposed;
  const published = [{ protocol: "tcp" as const, containerPort: 80, hostIp: "0.0.0.0", hostPort: 8080 }];
  expect(toPortMap(exposed, published)).toEqual({
    "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }],
    "81/tcp": null,
  });
});
