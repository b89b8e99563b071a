import { expect, test } from "bun:test";
import { rebind } from "./rebind.ts";

const current = {
  "80/tcp": [
    { HostIp: "", HostPort: "8080" },
    { HostIp: "127.0.0.1", HostPort: "8081" },
  ],
  "53/udp": [{ HostPort: "" }],
};

test("ports are added to those that are there", () => {
  expect(rebind(current, { add: ["9000-9001:90-91", "[::1]:8082:80"], remove: [] })).toEqual({
    "80/tcp": [...current["80/tcp"], { HostIp: "::1", HostPort: "8082" }],
    "53/udp": current["53/udp"],
    "90/tcp": [{ HostIp: "", HostPort: "9000" }],
    "91/tcp": [{ HostIp: "", HostPort: "9001" }],
  });
});

test("a binding is taken away as it was given, or all of a port's", () => {
  expect(rebind(current, { add: [], remove: ["8080:80"] })["80/tcp"]).toEqual([
    { HostIp: "127.0.0.1", HostPort: "8081" },
  ]);
  expect(rebind(current, { add: [], remove: ["80", "53/udp"] })).toEqual({});
  expect(rebind(current, { add: ["8080:81"], remove: ["8080:80"] })).toMatchObject({
    "81/tcp": [{ HostPort: "8080" }],
  });
});

test("what is not published, or no port, is refused", () => {
  expect(() => rebind(current, { add: [], remove: ["9:80"] })).toThrow("port 9:80 is not published");
  expect(() => rebind(current, { add: [], remove: ["80/udp"] })).toThrow("port 80/udp is not published");
  expect(() => rebind(current, { add: ["x:80"], remove: [] })).toThrow("invalid hostPort: x");
});
