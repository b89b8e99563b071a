import { expect, test } from "bun:test";
import { addressesIn, endpointsOf, isInsecure, type Names } from "./endpoints.ts";

const config = { mirrors: ["http://mirror.example:5000/"], insecure: ["reg.example:5000", "10.0.0.0/8"] };

const hostsFile =
  "127.0.0.1 localhost\n127.0.1.1\town.example registry # other.example\n::1 six.example\n10.9.9.9 far.example\n";
const byDns: Record<string, string[]> = { "ten.example": ["192.0.2.1", "10.0.0.7"], "loop.example": ["127.0.0.1"] };
const names: Names = {
  ofFile: (host) => addressesIn(hostsFile, host),
  lookUp: async (host) => byDns[host] ?? [],
};

test("http is for loopback and what was named insecure", async () => {
  for (const domain of [
    "localhost",
    "localhost:5000",
    "127.0.0.1:5000",
    "127.9.9.9",
    "[::1]:5000",
    "10.1.2.3:80",
    "reg.example:5000",
    "registry:5000",
    "six.example",
    "far.example:5000",
    "ten.example",
  ]) {
    expect([domain, await isInsecure(domain, config, names)]).toEqual([domain, true]);
  }
  for (const domain of [
    "reg.example",
    "11.0.0.1",
    "localhost.example",
    "127.0.0.1.example",
    "other.example",
    "loop.example",
  ]) {
    expect([domain, await isInsecure(domain, config, names)]).toEqual([domain, false]);
  }
});

test("mirrors come first, for pulls from the hub only", async () => {
  const urls = async (domain: string, purpose: "pull" | "push") =>
    (await endpointsOf(domain, config, purpose, names)).map(({ url }) => url);
  expect(await urls("docker.io", "pull")).toEqual(["http://mirror.example:5000", "https://registry-1.docker.io"]);
  expect(await urls("docker.io", "push")).toEqual(["https://registry-1.docker.io"]);
  expect(await urls("reg.example", "pull")).toEqual(["https://reg.example"]);
  expect(await urls("localhost:5000", "pull")).toEqual(["https://localhost:5000", "http://localhost:5000"]);
});
