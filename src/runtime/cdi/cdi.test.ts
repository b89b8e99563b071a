import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RuntimeSpec } from "../../oci/runtime-spec.ts";
import { readCdiDevices } from "./cdi-spec.ts";
import { injectCdiDevices } from "./inject.ts";

function directoryOf(files: Record<string, string | object>): string {
  const directory = mkdtempSync(join(tmpdir(), "cdi-"));
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(directory, name), typeof content === "string" ? content : JSON.stringify(content));
  }
  return directory;
}

function spec(): RuntimeSpec {
  return {
    ociVersion: "1.0.2",
    process: { user: { uid: 7, gid: 8 }, args: ["true"], env: ["PATH=/bin", "FOO=old"], cwd: "/" },
    root: { path: "/r" },
    mounts: [{ destination: "/lib/x", type: "tmpfs" }],
    linux: { namespaces: [], resources: { devices: [{ allow: false, access: "rwm" }] } },
  };
}

const yaml = `
cdiVersion: "0.6.0"
kind: vendor.com/device
containerEdits:
  env: [COMMON=1]
devices:
- name: foo
  containerEdits:
    env: [FOO=injected]
    deviceNodes:
    - path: /dev/inside
      hostPath: /dev/null
      permissions: rw
    mounts:
    - {hostPath: /usr/lib/x, containerPath: /lib/x, options: [ro, bind]}
    hooks:
    - {hookName: createContainer, path: /bin/hook, args: [hook, a]}
    additionalGids: [0, 44]
- name: bar
  containerEdits: {env: [BAR=1]}
`;

test("devices change a spec as their file says, what is common to a file once", () => {
  const directory = directoryOf({ "vendor.yaml": yaml, "readme.txt": "nothing" });
  const changed = spec();
  const DeviceIDs = ["vendor.com/device=foo", "vendor.com/device=bar", "vendor.com/device=foo"];
  injectCdiDevices(changed, [{ Driver: "cdi", DeviceIDs }], [directory, "/nonexistent"]);
  expect(changed.process).toMatchObject({
    env: ["PATH=/bin", "FOO=injected", "COMMON=1", "BAR=1"],
    user: { additionalGids: [44] },
  });
  expect(changed.mounts).toEqual([
    { destination: "/lib/x", source: "/usr/lib/x", type: "bind", options: ["ro", "bind"] },
  ]);
  expect(changed.hooks).toEqual({ createContainer: [{ path: "/bin/hook", args: ["hook", "a"] }] });
  expect(changed.linux.devices).toMatchObject([{ path: "/dev/inside", type: "c", major: 1, minor: 3, uid: 7, gid: 8 }]);
  expect(changed.linux.resources?.devices?.[1]).toEqual({ allow: true, type: "c", major: 1, minor: 3, access: "rw" });
  rmSync(directory, { recursive: true });
});

test("what cannot be injected is refused in dockerd's words", () => {
  const directory = directoryOf({ "vendor.yaml": yaml, "bad.json": "{", "other.json": { cdiVersion: "1", kind: "x" } });
  const inject = (request: object, directories = [directory]) =>
    injectCdiDevices(spec(), [{ Driver: "cdi", ...request }], directories);
  expect(() => inject({ DeviceIDs: ["vendor.com/device=nope"] })).toThrow(
    "CDI device injection failed: unresolvable CDI devices vendor.com/device=nope (",
  );
  expect(() => inject({ DeviceIDs: ["a"] }, [])).toThrow("no CDI specification directories specified");
  expect(() => inject({ Count: 1 })).toThrow("unexpected count in CDI device request");
  expect(() => inject({ Options: { a: "b" } })).toThrow("unexpected options in CDI device request");
  expect(() => injectCdiDevices(spec(), [{ Driver: "nvidia" }], [])).not.toThrow();
  rmSync(directory, { recursive: true });
});

test("of two directories the later counts; in one a name may be claimed once", () => {
  const device = (value: string) => ({
    cdiVersion: "0.5.0",
    kind: "v.com/d",
    devices: [{ name: "a", containerEdits: { env: [value] } }],
  });
  const [first, second] = [directoryOf({ "x.json": device("A=1") }), directoryOf({ "y.json": device("A=2") })];
  expect(readCdiDevices([first, second]).devices.get("v.com/d=a")?.edits.env).toEqual(["A=2"]);
  writeFileSync(join(second, "z.json"), JSON.stringify(device("A=3")));
  mkdirSync(join(first, "sub"));
  const { devices, problems } = readCdiDevices([second]);
  expect([devices.size, problems]).toEqual([0, [`${second}: conflicting device "v.com/d=a"`]]);
  for (const directory of [first, second]) rmSync(directory, { recursive: true });
});
