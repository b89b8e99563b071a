import { expect, test } from "bun:test";
import { humanDuration, toApiPorts } from "./status.ts";

test("durations are Docker's words", () => {
  const second = 1000;
  const hour = 3600 * second;
  const table: [number, string][] = [
    [400, "Less than a second"],
    [second, "1 second"],
    [59 * second, "59 seconds"],
    [61 * second, "About a minute"],
    [59 * 60 * second, "59 minutes"],
    [hour, "About an hour"],
    [47 * hour, "47 hours"],
    [49 * hour, "2 days"],
    [15 * 24 * hour, "2 weeks"],
    [70 * 24 * hour, "2 months"],
    [800 * 24 * hour, "2 years"],
  ];
  for (const [milliseconds, words] of table) expect(humanDuration(milliseconds)).toBe(words);
});

test("a published port shows each binding, an exposed one only itself", () => {
  expect(toApiPorts({ "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }], "53/udp": null })).toEqual([
    { IP: "0.0.0.0", PrivatePort: 80, PublicPort: 8080, Type: "tcp" },
    { PrivatePort: 53, Type: "udp" },
  ]);
});
