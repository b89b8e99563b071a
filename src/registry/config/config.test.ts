import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configKeys, environmentName, flagName, loadConfig, parseConfig, parseListen } from "./config.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-registry-config-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("flags win over the environment, which wins over the file, which wins over defaults", () => {
  const path = join(directory, "registry.yaml");
  writeFileSync(path, "listen: :1\nroot: /file\nlog:\n  level: warn\n  access: false\ngc:\n  lease: 60\n");
  const env = { GANTRY_REGISTRY_CONFIG: path, GANTRY_REGISTRY_ROOT: "/env", GANTRY_REGISTRY_LISTEN: ":2", HOME: "/" };
  const config = loadConfig(["--listen=:3", "--gc-untagged"], env);
  expect(config).toMatchObject({
    listen: ":3",
    root: "/env",
    "log.level": "warn",
    "log.access": false,
    "gc.lease": 60,
  });
  expect(config["gc.untagged"]).toBe(true);
  expect(config["limits.page"]).toBe(configKeys["limits.page"].default);
});

test("JSON, and keys with dots", () => {
  expect(parseConfig('{"tls": {"key": "k"}, "gc.lease": 5}', "f")).toEqual({ "tls.key": "k", "gc.lease": 5 });
  expect(parseConfig("", "f")).toEqual({});
});

test.each([
  ["lsten: :1", "f: unknown key lsten"],
  ["tls:\n  cert: x", "f: unknown key tls.cert"],
  ["tls: yes please", "f: tls must be a mapping"],
  ["- a", "f: the file must be a mapping"],
  ["listen: 5000", "f: listen: must be text"],
  ["gc:\n  lease: soon", "f: gc.lease: must be a whole number of seconds"],
  ["gc:\n  untagged: 1", "f: gc.untagged: must be true or false"],
])("the file %p is refused", (text, message) => {
  expect(() => parseConfig(text, "f")).toThrow(message);
});

test.each([
  [["--no-such"], {}, "unknown flag: --no-such"],
  [["--root"], {}, "flag needs an argument: --root"],
  [["extra"], {}, "unknown flag: extra"],
  [["--limits-page", "x"], {}, "--limits-page: must be a whole number"],
  [[], { GANTRY_REGISTRY_ROOTS: "x" }, "environment: unknown variable GANTRY_REGISTRY_ROOTS"],
  [["--tls-key=x"], {}, "tls.certificate and tls.key must be given together"],
  [["--log-level=loud"], {}, "log.level: loud is not one of debug, info, warn, error"],
  [["--listen=5000"], {}, "listen: 5000 is not host:port"],
  [["--config=/no/such"], {}, "cannot read configuration file"],
])("%p %p is refused", (argv, env, message) => {
  expect(() => loadConfig(argv as string[], env as Record<string, string>)).toThrow(message as string);
});

test("listen addresses", () => {
  expect(parseListen(":5000")).toEqual({ hostname: undefined, port: 5000 });
  expect(parseListen("[::1]:80")).toEqual({ hostname: "::1", port: 80 });
  expect(parseListen("localhost:0")).toEqual({ hostname: "localhost", port: 0 });
});

test("docs/registry.md has every key with its flag, variable and default", () => {
  const text = readFileSync(new URL("../../../docs/registry.md", import.meta.url), "utf8");
  for (const [name, { default: initial, doc }] of Object.entries(configKeys)) {
    const shown = String(initial) === "" ? "" : `\`${initial}\``;
    expect(text).toContain(
      `| \`${name}\` | \`${flagName(name)}\` | \`${environmentName(name)}\` | ${shown} | ${doc} |`,
    );
  }
});
