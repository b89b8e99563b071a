/** A daemon that is killed: containers run on, nothing of what they said or how they ended is lost, and nothing is left behind. */
import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxArchive } from "./lib/images.ts";
import { useTarget } from "./lib/journey.ts";
import { mounts } from "./lib/leaks.ts";
import { until } from "./lib/run.ts";
import { dockerCli } from "./lib/settings.ts";
import { Target } from "./lib/target.ts";

const target = useTarget();
const counting = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.05; done";

async function restart(signal: NodeJS.Signals, pauseMillis: number): Promise<void> {
  await target().stopDaemon(signal);
  await Bun.sleep(pauseMillis);
  await target().startDaemon();
}

/** Each line is one more than the line before. */
function expectCounted(log: string): number {
  const lines = log.trimEnd().split("\n");
  expect(lines).toEqual(lines.map((_, index) => String(index)));
  return lines.length;
}

test("20 containers outlive kill -9: no line lost or doubled, exit codes kept, policies honoured", async () => {
  const names = Array.from({ length: 16 }, (_, index) => `count${index}`);
  for (const name of names) await target().must("run", "-d", "--name", name, "busybox", "sh", "-c", counting);
  await target().must("run", "-d", "--name", "ends", "busybox", "sh", "-c", "echo begin; sleep 2; echo end; exit 7");
  await target().must("run", "-d", "--name", "again", "--restart", "always", "busybox", "sh", "-c", "sleep 2; exit 3");
  await target().must("run", "-d", "--name", "gone", "--rm", "busybox", "sleep", "2");
  await target().must("run", "-d", "-t", "-i", "--name", "shell", "busybox");
  await restart("SIGKILL", 2500);
  const before = await Promise.all(
    names.map(async (name) => expectCounted((await target().docker("logs", name)).stdout)),
  );
  expect(await target().inspect<{ State: object }>("ends")).toMatchObject({ State: { Status: "exited", ExitCode: 7 } });
  expect((await target().docker("logs", "ends")).stdout).toBe("begin\nend\n");
  await until("the policy", async () => {
    const { RestartCount, State } = await target().inspect<{ RestartCount: number; State: { Running: boolean } }>(
      "again",
    );
    return RestartCount > 0 && State.Running;
  });
  await until("--rm", async () => (await target().docker("inspect", "gone")).code !== 0);
  expect(await target().must("exec", "count0", "echo", "alive")).toBe("alive");
  const session = target().pty(["attach", "shell"]);
  session.type("echo $((6*7))\n");
  await session.expect("42");
  session.type("exit 5\n");
  expect(await session.exit()).toBe(5);
  await restart("SIGTERM", 0);
  await Bun.sleep(300);
  for (const [index, name] of names.entries()) {
    const { stdout } = await target().docker("logs", name);
    expect(expectCounted(stdout)).toBeGreaterThan(before[index] as number);
  }
  await target().must("stop", "-t", "1", ...names);
  await target().must("rm", "-f", ...names, "ends", "again", "shell");
});

test("killed at any instant: every container is whole or not there", async () => {
  const script = `
    $DOCKER run -d --name w$N busybox sleep 1000
    $DOCKER run --rm busybox true
    $DOCKER exec w$N true
    $DOCKER restart -t 0 w$N
    $DOCKER commit w$N i$N
    $DOCKER create --name c$N -v vol$N:/x busybox true
    $DOCKER rm -f w$N c$N
    $DOCKER rmi i$N
  `;
  for (let round = 0; round < 8; round++) {
    const env = { ...target().cliEnvironment, N: String(round), DOCKER: dockerCli };
    const work = Bun.spawn(["sh", "-c", script], { env, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    // Spread over the whole of the script, which takes one to two seconds.
    await Bun.sleep(100 + round * 170);
    await target().stopDaemon("SIGKILL");
    work.kill("SIGKILL");
    await work.exited;
    await target().startDaemon();
    const ids = (await target().must("ps", "-aq", "--no-trunc")).split("\n").filter(Boolean);
    for (const id of ids) {
      const { State } = await target().inspect<{ State: { Status: string; Pid: number } }>(id);
      expect(["created", "running", "exited"]).toContain(State.Status);
      if (State.Status === "running") expect(await target().must("exec", id, "echo", "whole")).toBe("whole");
      else if (State.Status === "exited") await target().must("start", id);
    }
    if (ids.length > 0) await target().must("rm", "-f", "-v", ...ids);
    expect(await target().must("run", "--rm", "busybox", "echo", "works")).toBe("works");
  }
});

test("two daemons side by side do not touch each other's", async () => {
  const other = await Target.start();
  try {
    await target().must("run", "-d", "--name", "here", "-p", "127.0.0.1::80", "busybox", "sleep", "1000");
    await other.must("run", "-d", "--name", "there", "busybox", "sleep", "1000");
    await other.stopDaemon("SIGKILL");
    await other.startDaemon();
    expect(await target().must("ps", "--format", "{{.Names}}")).toBe("here");
    expect(await other.must("ps", "--format", "{{.Names}}")).toBe("there");
    await other.must("rm", "-f", "there");
    expect(await target().must("exec", "here", "echo", "still")).toBe("still");
    await target().must("rm", "-f", "here");
  } finally {
    await other.stop();
  }
});

test("killed in the middle of builds: no container, context or half layer stays, and the next build goes on from the cache", async () => {
  const directory = join(target().root, "context");
  mkdirSync(directory);
  writeFileSync(join(directory, "file"), "x".repeat(100_000));
  const steps = [
    "RUN head -c 3000000 /dev/urandom >/a",
    "COPY file /b",
    "RUN sleep 0.2; echo done >/c",
    "COPY file /d/",
    "CMD true",
  ];
  const build = (round: number) => {
    writeFileSync(join(directory, "Dockerfile"), `FROM busybox\nENV ROUND=${round}\n${steps.join("\n")}\n`);
    return target().dockerWith({ env: { DOCKER_BUILDKIT: "0" } }, "build", "-t", `round:${round}`, directory);
  };
  const rounds = Number(process.env["E2E_KILLS"] ?? 8);
  for (let round = 0; round < rounds; round++) {
    const building = build(round);
    await Bun.sleep(100 + (round % 8) * 90 + Math.random() * 90);
    await target().stopDaemon("SIGKILL");
    await building;
    await target().startDaemon();
    expect(await target().must("ps", "-aq")).toBe("");
    const kept = ["cache-mounts", "history"];
    expect(readdirSync(join(target().dataRoot, "build")).filter((name) => !kept.includes(name))).toEqual([]);
    expect(readdirSync(join(target().dataRoot, "layers/.new"))).toEqual([]);
    expect(mounts(target().dataRoot)).toEqual([]);
    const again = await build(round);
    expect(again.stdout).toContain(`Successfully tagged round:${round}`);
    expect(
      await target().must("run", "--rm", `round:${round}`, "sh", "-c", "wc -c </a; cat /c; wc -c </b; wc -c </d/file"),
    ).toBe("3000000\ndone\n100000\n100000");
  }
  const many = await Promise.all(
    Array.from({ length: 20 }, (_, index) => {
      const own = join(target().root, `many${index}`);
      mkdirSync(own);
      writeFileSync(join(own, "Dockerfile"), `FROM busybox\nRUN echo shared\nRUN echo ${index} >/n\n`);
      return target().dockerWith({ env: { DOCKER_BUILDKIT: "0" } }, "build", "-q", own);
    }),
  );
  expect(many.map(({ code }) => code)).toEqual(many.map(() => 0));
  const images = (await target().must("images", "-aq", "--no-trunc")).split("\n");
  await target()
    .must("rmi", "-f", ...new Set(images.filter((id) => id !== "")))
    .catch(() => "");
  const busybox = (await target().must("import", "-c", 'CMD ["sh"]', await busyboxArchive(), "busybox:latest")).trim();
  // Nothing but this image's layer is left on the disk.
  await until("the layers of removed images to go", async () => {
    const layers = readdirSync(join(target().dataRoot, "layers")).filter((name) => /^[0-9a-f]{64}$/.test(name));
    return layers.length === 1 || undefined;
  });
  expect(busybox).toMatch(/^sha256:/);
});
