import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNetns, removeNetns, withNetns } from "../network/netns.ts";
import { redirectPort } from "./nft-redirect.ts";

let directory: string;
let path: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "gantry-redirect-"));
  path = join(directory, "a");
  createNetns(path, () => undefined);
});
afterAll(() => {
  removeNetns(path);
  rmSync(directory, { recursive: true });
});

test("the rules as nft shows them; a second call replaces the first", () => {
  const redirect = { table: "gantry", address: "127.0.0.11", from: 53 };
  for (const to of [40000, 40001]) {
    withNetns(path, () => redirectPort({ ...redirect, to }));
    const { stdout } = Bun.spawnSync(["nsenter", `--net=${path}`, "nft", "list", "ruleset"]);
    const lines = stdout
      .toString()
      .split("\n")
      .map((line) => line.trim());
    expect(lines.filter((line) => line !== "" && line !== "}")).toEqual([
      "table ip gantry {",
      "chain output {",
      "type filter hook output priority -100; policy accept;",
      `ip daddr 127.0.0.11 tcp dport 53 tcp dport set ${to}`,
      `ip daddr 127.0.0.11 udp dport 53 udp dport set ${to}`,
      "chain answers {",
      "type filter hook output priority raw; policy accept;",
      `ip saddr 127.0.0.11 tcp sport ${to} tcp sport set 53`,
      `ip saddr 127.0.0.11 udp sport ${to} udp sport set 53`,
    ]);
  }
});
