/** A daemon that was told dockerd's defaults, and what else it is told by yes or no: containers end with it. */
import { expect, test } from "bun:test";
import { useTarget } from "./lib/journey.ts";
import { until } from "./lib/run.ts";

const target = useTarget({
  config: { "live-restore": false, "no-new-privileges": true, experimental: true, features: { buildkit: false } },
});

const trapping = "trap 'echo ended; exit 3' TERM; echo up; while :; do sleep 0.1; done";

async function run(name: string, ...options: string[]): Promise<void> {
  await target().must("run", "-d", "--name", name, ...options, "busybox", "sh", "-c", trapping);
  await until("the trap", async () => (await target().must("logs", name)).endsWith("up"));
}

interface Shown {
  State: { Status: string; ExitCode: number; Pid: number };
  RestartCount: number;
}
const shown = (name: string) => target().inspect<Shown>(name);

test("containers end with the daemon by their stop signal, and come back as their policy says", async () => {
  await run("plain");
  await run("always", "--restart", "always");
  await run("unless", "--restart", "unless-stopped");
  await run("failing", "--restart", "on-failure");
  await run("stopped", "--restart", "unless-stopped");
  await run("gone", "--rm");
  await target().must("stop", "stopped");
  await target().stopDaemon("SIGTERM");
  await target().startDaemon();
  for (const name of ["always", "unless", "failing"]) {
    await target().state(name, "running");
    expect((await shown(name)).RestartCount).toBe(0);
    await until("the second start", async () => (await target().must("logs", name)) === "up\nended\nup");
  }
  expect((await shown("plain")).State).toMatchObject({ Status: "exited", ExitCode: 3, Pid: 0 });
  expect(await target().must("logs", "plain")).toBe("up\nended");
  expect((await shown("stopped")).State.Status).toBe("exited");
  expect((await target().docker("inspect", "gone")).code).toBe(1);
  await target().must("rm", "-f", "plain", "always", "unless", "failing", "stopped");
});

test("who is attached sees them end", async () => {
  const client = target().docker("run", "--name", "attached", "busybox", "sh", "-c", trapping);
  await until("the trap", async () => (await target().docker("logs", "attached")).stdout.trimEnd() === "up");
  await target().stopDaemon("SIGTERM");
  const { code, stdout } = await client;
  await target().startDaemon();
  await target().must("rm", "attached");
  expect([code, stdout]).toEqual([3, "up\nended\n"]);
});

test("those of a daemon that was killed end when the next one begins", async () => {
  await run("plain");
  await run("always", "--restart", "always");
  await run("gone", "--rm");
  await target().stopDaemon("SIGKILL");
  await target().startDaemon();
  await target().state("plain", "exited");
  expect(await target().must("logs", "plain")).toBe("up\nended");
  await until("the second start", async () => (await target().must("logs", "always")) === "up\nended\nup");
  await until("--rm", async () => (await target().docker("inspect", "gone")).code !== 0);
  await target().must("rm", "-f", "plain", "always");
});

test("processes gain no privileges unless their container says so", async () => {
  const gains = (...options: string[]) =>
    target().must("run", "--rm", ...options, "busybox", "grep", "NoNewPrivs", "/proc/self/status");
  expect(await gains()).toMatch(/1$/);
  expect(await gains("--security-opt", "no-new-privileges=false")).toMatch(/0$/);
  const info = await target().must(
    "info",
    "--format",
    "{{.SecurityOptions}} {{.ExperimentalBuild}} {{.LiveRestoreEnabled}}",
  );
  expect(info).toMatch(/name=no-new-privileges.* true false$/);
});

test("clients are told what to go by", async () => {
  const { headers } = await target().api("/_ping");
  expect([headers.get("builder-version"), headers.get("docker-experimental")]).toEqual(["1", "true"]);
  expect(await target().must("version", "--format", "{{.Server.Experimental}}")).toBe("true");
});
