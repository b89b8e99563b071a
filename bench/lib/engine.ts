/** The engines that are compared, each a daemon of its own with its own roots, socket and network namespace; ended and removed after. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Engine {
  name: string;
  socket: string;
  /** The daemon's process and those it started for itself (containerd). */
  pids(): number[];
  stop(): Promise<void>;
}

interface Plan {
  name: string;
  command(directory: string, socket: string): string[];
  env: Record<string, string>;
}

const root = new URL("../..", import.meta.url).pathname;

/** Gantry, Debian's dockerd, and a newer one unpacked into $DOCKERD_NEWEST (a directory with usr/sbin/dockerd), where they are. */
export function availableEngines(): Plan[] {
  const newest = process.env["DOCKERD_NEWEST"];
  const plans = [gantryPlan()];
  if (existsSync("/usr/sbin/dockerd")) plans.push(dockerdPlan("docker 20.10", "/usr/sbin/dockerd", ""));
  if (newest && existsSync(`${newest}/usr/sbin/dockerd`)) {
    plans.push(dockerdPlan("docker 28", `${newest}/usr/sbin/dockerd`, `${newest}/usr/bin:${newest}/usr/sbin:`));
  }
  return plans;
}

function gantryPlan(): Plan {
  const command = (directory: string, socket: string) => [
    join(root, "build/gantry"),
    "daemon",
    ...["--data-root", `${directory}/data`, "--exec-root", `${directory}/exec`, "--pidfile", `${directory}/pid`],
    ...["-H", `unix://${socket}`, "--log-level", "error"],
  ];
  return { name: "gantry", command, env: {} };
}

function dockerdPlan(name: string, program: string, path: string): Plan {
  const command = (directory: string, socket: string) => [
    program,
    ...["--data-root", `${directory}/data`, "--exec-root", `${directory}/exec`, "--pidfile", `${directory}/pid`],
    ...["-H", `unix://${socket}`, "--log-level", "error", "--config-file", `${directory}/none.json`],
  ];
  return { name, command, env: { PATH: `${path}${process.env["PATH"]}` } };
}

/** Starts an engine in a network namespace of its own, so that no two share bridges or tables. Throws with its log when it does not come up. */
export async function startEngine(plan: Plan): Promise<Engine> {
  const directory = mkdtempSync(join(tmpdir(), "gantry-bench-"));
  mkdirSync(`${directory}/exec`);
  writeFileSync(`${directory}/none.json`, "{}"); // Not the host's own configuration.
  const socket = `${directory}/api.sock`;
  const log = `${directory}/daemon.log`;
  const netns = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"];
  const child = Bun.spawn([...netns, ...plan.command(directory, socket)], {
    env: { ...process.env, ...plan.env } as Record<string, string>,
    stdout: Bun.file(log),
    stderr: Bun.file(log),
    stdin: "ignore",
  });
  const stop = async () => {
    child.kill("SIGTERM");
    await Promise.race([child.exited, Bun.sleep(15_000).then(() => child.kill("SIGKILL"))]);
    await unmountBelow(directory);
    rmSync(directory, { recursive: true, force: true });
  };
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null) break;
    if (await answers(socket)) return { name: plan.name, socket, pids: () => familyOf(child.pid), stop };
    await Bun.sleep(100);
  }
  const text = existsSync(log) ? readFileSync(log, "utf8").slice(-2000) : "";
  await stop();
  throw new Error(`${plan.name} did not come up:\n${text}`);
}

async function answers(socket: string): Promise<boolean> {
  return fetch("http://engine/_ping", { unix: socket }).then(
    (response) => response.ok,
    () => false,
  );
}

/** A process and the daemons below it; not the containers' shims and processes. */
function familyOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  const daemons = children.filter((child) => /containerd$/.test(readFileSync(`/proc/${child}/comm`, "utf8").trim()));
  return [pid, ...daemons];
}

async function unmountBelow(directory: string): Promise<void> {
  const points = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((point) => point.startsWith(directory));
  for (const point of points.reverse()) await Bun.spawn(["umount", "-l", point], { stderr: "ignore" }).exited;
}
