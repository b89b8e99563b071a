/** The engines that are compared, each a daemon of its own with its own roots, socket and network namespace; ended and removed after. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

export interface Engine {
  name: string;
  /** The CLI and what makes it speak to this engine. */
  cli: string[];
  env: Record<string, string>;
  /** Of the API; podman has no daemon. */
  socket?: string;
  /** The daemon's process and those it started for itself (containerd). */
  pids(): number[];
  /** Milliseconds of processor time of the daemon and all that it starts, up to the containers' own processes. */
  cpu(): number;
  stop(): Promise<void>;
}

interface Plan {
  name: string;
  command(directory: string, socket: string): string[];
  env: Record<string, string>;
}

const root = new URL("../..", import.meta.url).pathname;
export const gantryProgram = join(root, "build/gantry");
const dockerCli = process.env["DOCKER_CLI"] ?? "docker";

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
    gantryProgram,
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

/** Starts an engine in a network namespace and a cgroup of its own, so that no two share bridges or tables and its processor time is counted. Throws with its log when it does not come up. */
export async function startEngine(plan: Plan): Promise<Engine> {
  const directory = mkdtempSync(join(tmpdir(), "gantry-bench-"));
  mkdirSync(`${directory}/exec`);
  writeFileSync(`${directory}/none.json`, "{}"); // Not the host's own configuration.
  const socket = `${directory}/api.sock`;
  const log = `${directory}/daemon.log`;
  const group = cgroupOf(directory);
  const netns = [
    "unshare",
    "--net",
    "sh",
    "-c",
    `ip link set lo up; echo $$ >${group.path}/cgroup.procs; exec "$@"`,
    "sh",
  ];
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
    await group.remove();
  };
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null) break;
    if (await answers(socket)) {
      const env = { DOCKER_HOST: `unix://${socket}` };
      return { name: plan.name, cli: [dockerCli], env, socket, pids: () => familyOf(child.pid), cpu: group.cpu, stop };
    }
    await Bun.sleep(100);
  }
  const text = existsSync(log) ? readFileSync(log, "utf8").slice(-2000) : "";
  await stop();
  throw new Error(`${plan.name} did not come up:\n${text}`);
}

/**
 * Podman by its own CLI, $PODMAN or the one installed, if it runs a container here. It has no daemon: a sleeping process keeps its network
 * namespace.
 */
export async function podman(load: (engine: Engine) => Promise<string>, image: string): Promise<Engine | undefined> {
  const program = process.env["PODMAN"] ?? Bun.which("podman");
  if (!program) return undefined;
  const directory = mkdtempSync(join(tmpdir(), "gantry-bench-"));
  const keeper = Bun.spawn(["unshare", "--net", "sh", "-c", "ip link set lo up; exec sleep 100000"]);
  const cli = [
    ...["nsenter", `--net=/proc/${keeper.pid}/ns/net`, program],
    ...["--root", `${directory}/data`, "--runroot", `${directory}/run`, "--tmpdir", `${directory}/tmp`],
    ...["--network-config-dir", `${directory}/networks`, "--cgroup-manager", "cgroupfs", "--events-backend", "file"],
    ...(Bun.which("runc") ? ["--runtime", "runc"] : []),
  ];
  const stop = async () => {
    keeper.kill();
    await unmountBelow(directory);
    rmSync(directory, { recursive: true, force: true });
  };
  const engine: Engine = { name: "podman", cli, env: {}, pids: () => [], cpu: () => Number.NaN, stop };
  try {
    await Bun.sleep(100); // Until the keeper has its namespace.
    await load(engine);
    const command = [...cli, "run", "--rm", image, "true"];
    const trial = Bun.spawn(command, { stdout: "ignore", stderr: "pipe", timeout: trialMillis });
    const complaint = await new Response(trial.stderr).text();
    if ((await trial.exited) === 0) return engine;
    throw new Error(complaint.trim() || `a container took more than ${trialMillis / 1000} s`);
  } catch (error) {
    console.log(`podman does not run here: ${error instanceof Error ? error.message : error}`);
    await stop();
    return undefined;
  }
}

/** Where podman waits in vain for its conmon, each container takes it twenty seconds. */
const trialMillis = 10_000;

/** A cgroup in which processor time is counted: v1's cpuacct, or v2. */
function cgroupOf(directory: string): { path: string; cpu(): number; remove(): Promise<void> } {
  const v1 = "/sys/fs/cgroup/cpuacct";
  const path = join(existsSync(v1) ? v1 : "/sys/fs/cgroup", basename(directory));
  mkdirSync(path);
  const cpu = () =>
    existsSync(v1)
      ? Number(readFileSync(`${path}/cpuacct.usage`, "utf8")) / 1e6
      : Number(/usage_usec (\d+)/.exec(readFileSync(`${path}/cpu.stat`, "utf8"))?.[1]) / 1e3;
  // Helpers of the daemon may end a moment after it.
  const remove = async () => {
    for (let tries = 0; tries < 50 && readFileSync(`${path}/cgroup.procs`, "utf8") !== ""; tries++)
      await Bun.sleep(100);
    rmdirSync(path);
  };
  return { path, cpu, remove };
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
