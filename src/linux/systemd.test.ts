import { expect, test } from "bun:test";
import { mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ScratchSocket } from "./scratch-socket.ts";
import { adoptListener, inheritedDescriptors, isHostEnding, notifySystemd, takeNotifySocket } from "./systemd.ts";

test("sockets are this process's only if it is named, and nobody's after", () => {
  const env: Record<string, string | undefined> = {
    LISTEN_PID: "7",
    LISTEN_FDS: "2",
    LISTEN_FDNAMES: "a:b",
    KEPT: "x",
  };
  expect(inheritedDescriptors({ ...env }, 8)).toEqual([]);
  expect(inheritedDescriptors(env, 7)).toEqual([3, 4]);
  expect(env).toEqual({ KEPT: "x" });
  expect(inheritedDescriptors(env, 7)).toEqual([]);
});

test("a listening socket is taken, and nothing else", () => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-systemd-"));
  using stream = new ScratchSocket("stream", join(directory, "s"));
  using datagram = new ScratchSocket("datagram", join(directory, "d"));
  expect(adoptListener(stream.descriptor)).toBe("unix");
  expect([datagram.descriptor, openSync("/dev/null", "r"), 987_654].map(adoptListener)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  rmSync(directory, { recursive: true });
});

test("systemd is told where it says", () => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-systemd-"));
  const path = join(directory, "notify");
  using socket = new ScratchSocket("datagram", path);
  const env = { NOTIFY_SOCKET: path };
  notifySystemd(takeNotifySocket(env) ?? "", "READY=1");
  expect(socket.receive()).toBe("READY=1");
  expect(takeNotifySocket(env)).toBeUndefined();
  rmSync(directory, { recursive: true });
});

test.each([
  ["stopping", true],
  ["running", false],
  ["degraded", false],
])("a system that is %s", async (state, ends) => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-systemd-"));
  const program = join(directory, "systemctl");
  writeFileSync(program, `#!/bin/sh\n[ "$*" = is-system-running ] && echo ${state}\nexit 1\n`, { mode: 0o755 });
  expect(await isHostEnding(program)).toBe(ends);
  rmSync(directory, { recursive: true });
});

test("where there is no systemd, the host goes on", async () => {
  expect(await isHostEnding("/nonexistent/systemctl")).toBe(false);
});
