import { expect, test } from "bun:test";
import { endpointsOf, isInsecure } from "./endpoints.ts";

const config = { mirrors: ["http://mirror.example:5000/"], insecure: ["reg.example:5000", "10.0.0.0/8"] };

test("http is for loopback and what was named insecure", () => {
  for (const domain of [
    "localhost",
    "localhost:5000",
    "127.0.0.1:5000",
    "127.9.9.9",
    "[::1]:5000",
    "10.1.2.3:80",
    "reg.example:5000",
  ]) {
    expect([domain, isInsecure(domain, config)]).toEqual([domain, true]);
  }
  for (const domain of ["reg.example", "11.0.0.1", "localhost.example", "127.0.0.1.example"]) {
    expect([domain, isInsecure(domain, config)]).toEqual([domain, false]);
  }
});

test("mirrors come first, for pulls from the hub only", () => {
  const urls = (domain: string, purpose: "pull" | "push") => endpointsOf(domain, config, purpose).map(({ url }) => url);
  expect(urls("docker.io", "pull")).toEqual(["http://mirror.example:5000", "https://registry-1.docker.io"]);
  expect(urls("docker.io", "push")).toEqual(["https://registry-1.docker.io"]);
  expect(urls("reg.example", "pull")).toEqual(["https://reg.example"]);
  expect(urls("localhost:5000", "pull")).toEqual(["https://localhost:5000", "http://localhost:5000"]);
});
