import { expect, test } from "bun:test";
import { parseEndpoint } from "./endpoint.ts";

test.each([
  ["unix:///run/x.sock", { url: "unix:///run/x.sock", unix: "/run/x.sock" }],
  ["tcp://host", { url: "tcp://host", host: "host", port: 2375 }],
  ["tcp://host:99/", { url: "tcp://host:99/", host: "host", port: 99 }],
  ["host:99", { url: "tcp://host:99", host: "host", port: 99 }],
  [":99", { url: "tcp://:99", host: "localhost", port: 99 }],
  ["tcp://[::1]:5", { url: "tcp://[::1]:5", host: "::1", port: 5 }],
  ["https://h", { url: "https://h", host: "h", port: 2376, tls: { verify: true } }],
])("%s", (text, expected) => {
  expect(parseEndpoint(text)).toEqual(expected);
});

test("with TLS the port is 2376", () => {
  expect(parseEndpoint("tcp://h", { verify: false })).toMatchObject({ port: 2376, tls: { verify: false } });
});

test.each(["foo://x", "ssh://host", "a b", "npipe:////./pipe/docker"])("%s is refused", (text) => {
  expect(() => parseEndpoint(text)).toThrow(`invalid bind address format: ${text}`);
});
