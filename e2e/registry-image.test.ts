/**
 * The article's registry: `docker run -d -p 5000:5000 gantry/registry`, then tag, push, remove, pull and run, all with the stock CLI.
 * The image is Gantry's own: there is no such journey on dockerd.
 */
import { expect, test } from "bun:test";
import { useTarget } from "./lib/journey.ts";
import { until } from "./lib/run.ts";
import { gantryCommand, targetKind } from "./lib/settings.ts";

const target = useTarget();
const ours = test.skipIf(targetKind !== "gantry");
const registry = "localhost:5000";

/** Over the published port, as any client would. */
async function get(path: string): Promise<string> {
  return (await target().host.run("curl", "-s", `http://${registry}${path}`)).stdout;
}

async function receivedBytes(): Promise<number> {
  return Number(/^gantry_registry_received_bytes_total (\d+)$/m.exec(await get("/metrics"))?.[1]);
}

ours(
  "run without a pull before it; tag, push, remove, pull, run",
  async () => {
    const must = (...args: string[]) => target().must(...args);
    const started = await target().docker("run", "-d", "--name", "registry", "-p", "5000:5000", "gantry/registry");
    expect(started.stderr).toContain("Unable to find image 'gantry/registry:latest' locally");
    expect(started.stderr).toContain("Status: Downloaded newer image for gantry/registry:latest");
    expect(started.code).toBe(0);
    await until("the registry to answer", async () => (await get("/v2/")) === "{}");
    await must("tag", "busybox", `${registry}/team/app:1`);
    const pushed = await must("push", `${registry}/team/app:1`);
    expect(pushed).toContain(": Pushed");
    await must("rmi", `${registry}/team/app:1`, "busybox");
    await must("pull", `${registry}/team/app:1`);
    expect(await must("run", "--rm", `${registry}/team/app:1`, "echo", "from the registry")).toBe("from the registry");
    expect(await get("/v2/_catalog")).toBe('{"repositories":["team/app"]}');
  },
  240_000,
);

ours("a second image on the same base sends its own layer only", async () => {
  const must = (...args: string[]) => target().must(...args);
  const base = await receivedBytes();
  expect(base).toBeGreaterThan(500_000);
  await must("run", "--name", "own", `${registry}/team/app:1`, "sh", "-c", "head -c 100000 /dev/urandom >/own");
  await must("commit", "own", `${registry}/team/app:2`);
  const pushed = (await must("push", `${registry}/team/app:2`)).split("\n");
  expect(pushed.filter((line) => line.endsWith(": Layer already exists"))).toHaveLength(1);
  expect(pushed.filter((line) => line.endsWith(": Pushed"))).toHaveLength(1);
  const sent = (await receivedBytes()) - base;
  console.log(`the base had ${base} bytes, the second image sent ${sent}`);
  expect(sent).toBeGreaterThan(100_000);
  expect(sent).toBeLessThan(110_000);
});

ours("the content is in an anonymous volume, and outlives a restart and a kill", async () => {
  const must = (...args: string[]) => target().must(...args);
  const volume = await must("inspect", "-f", "{{range .Mounts}}{{.Name}} {{.Destination}}{{end}}", "registry");
  expect(volume).toMatch(/^[0-9a-f]{64} \/var\/lib\/registry$/);
  await must("restart", "registry");
  await until("the registry to answer", async () => (await get("/v2/")) === "{}");
  await must("kill", "registry");
  await must("start", "registry");
  await until("the registry to answer", async () => (await get("/v2/")) === "{}");
  expect(await get("/v2/team/app/tags/list")).toBe('{"name":"team/app","tags":["1","2"]}');
  expect(await must("exec", "registry", "gantry", "registry", "gc")).toContain('"blobs":0');
});

ours("a pull finds what is here, or makes what is not, for our own CLI too", async () => {
  const must = (...args: string[]) => target().must(...args);
  expect(await must("pull", "gantry/registry")).toContain("Status: Image is up to date for gantry/registry:latest");
  expect(await must("inspect", "-f", "{{.Config.ExposedPorts}} {{.Config.Entrypoint}}", "gantry/registry")).toBe(
    "map[5000/tcp:{}] [/usr/bin/gantry registry]",
  );
  const foreign = await target().docker("pull", "--platform", "linux/s390x", "gantry/registry");
  expect([foreign.code, foreign.stderr]).toEqual([1, expect.stringContaining("is not for linux/s390x")]);
  await must("rm", "-fv", "registry", "own");
  await must("rmi", "gantry/registry");
  const argv = ["run", "-d", "--name", "registry", "-p", "5000:5000", "gantry/registry"];
  const started = await target().dockerWith({ cli: gantryCommand()[0] as string }, ...argv);
  expect([started.code, started.stderr]).toEqual([0, expect.stringContaining("Downloaded newer image")]);
  await until("the registry to answer", async () => (await get("/v2/")) === "{}");
  await must("rm", "-fv", "registry");
});
