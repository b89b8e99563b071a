import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { ShimFixture, shimPath } from "./shim-fixture.ts";
import { ShimPool } from "./shim-pool.ts";

let fixture: ShimFixture;
beforeAll(() => {
  fixture = new ShimFixture();
});
afterAll(() => fixture.dispose());

/** Children of this process that are shims. */
function shims(): number[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, "utf8")
    .split(" ")
    .filter(Boolean)
    .map(Number)
    .filter((pid) => existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/comm`, "utf8") === "gantry-shim\n");
}

async function gone(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await Bun.sleep(2);
}

test("more containers than idle shims, one of which was killed, all run", async () => {
  const pool = new ShimPool(shimPath, 2);
  const [victim] = shims();
  process.kill(victim ?? 0, 9);
  await gone(victim ?? 0);
  const codes = [1, 2, 3].map((code) => pool.spawn(fixture.container({ args: ["sh", "-c", `exit ${code}`] })).exited);
  expect((await Promise.all(codes)).map((record) => record.exitCode)).toEqual([1, 2, 3]);
  await Bun.sleep(60);
  const refilled = shims();
  expect(refilled.length).toBeGreaterThanOrEqual(2);
  pool.close();
  for (const pid of refilled) await gone(pid);
});

test("idle shims end with the daemon", async () => {
  const script = `
    import { ShimPool } from ${JSON.stringify(new URL("shim-pool.ts", import.meta.url).href)};
    new ShimPool(${JSON.stringify(shimPath)}, 1);
    console.log(require("node:fs").readFileSync("/proc/self/task/" + process.pid + "/children", "utf8"));
    setInterval(() => {}, 1000);`;
  const daemon = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
  const { value } = await daemon.stdout.getReader().read();
  const children = new TextDecoder().decode(value).trim().split(" ").map(Number);
  expect(children.length).toBe(1);
  daemon.kill(9);
  await daemon.exited;
  for (const pid of children) {
    while (existsSync(`/proc/${pid}`) && /^State:\s*[^Z]/m.test(readFileSync(`/proc/${pid}/status`, "utf8")))
      await Bun.sleep(2);
  }
});
