import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { idle } from "./priority.ts";

/** Niceness of the process and of its session ("none" where it is in no group, as what the kernel itself started), as a child of ours says it. */
async function seen(script: string, detached = true): Promise<string[]> {
  const source = `import * as priority from "${import.meta.dir}/priority.ts";${script}`;
  const child = Bun.spawn([process.execPath, "-e", source], { detached });
  return (await child.stdout.text()).trim().split("\n");
}

const tell = (pid: string) =>
  `console.log(readFileSync(\`/proc/\${${pid}}/stat\`, "utf8").split(") ")[1].split(" ")[16], group(${pid}));`;
const reading = `import { existsSync, readFileSync } from "node:fs";
const group = (pid) => existsSync("/proc/self/autogroup") && readFileSync(\`/proc/\${pid}/autogroup\`, "utf8").trim().split(" ").at(-1) || "none";`;
const grouped = (niceness: number) => {
  try {
    readFileSync("/proc/self/autogroup");
    return String(niceness);
  } catch {
    return "none";
  }
};

test("whoever goes first does not lift what it starts", async () => {
  const script = `${reading} priority.goFirst(); const child = Bun.spawn(["sleep", "5"], { detached: true });
    ${tell("process.pid")} ${tell("child.pid")} child.kill(); process.exit();`;
  expect(await seen(script)).toEqual([`-5 ${grouped(-5)}`, `0 ${grouped(0)}`]);
  const ours = `${reading} console.log(group(process.pid)); priority.goFirst(); console.log(group(process.pid));`;
  const [before = "said nothing", after] = await seen(ours, false);
  expect(after).toBe(before);
});

test("whoever gives way is behind, as a process and as a session", async () => {
  const script = `${reading} const start = () => Bun.spawn(["sleep", "5"], { detached: true }); const [a, b] = [start(), start()];
    priority.giveWay(a); priority.giveWay(b, priority.idle); ${tell("a.pid")} ${tell("b.pid")} a.kill(); b.kill(); process.exit();`;
  expect(await seen(script)).toEqual([`5 ${grouped(5)}`, `${idle} ${grouped(idle)}`]);
});
