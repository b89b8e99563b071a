/** The life of a shim: start, failure to start, exit, signals, and finding it again. Streams: shim-streams.test.ts. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorKind } from "../base/errors.ts";
import { RuntimeStartError, Shim, ShimLost } from "./shim.ts";
import { drain, readLog, readUntil, ShimFixture, shimPath, unframe } from "./shim-fixture.ts";

let fixture: ShimFixture;
beforeAll(() => {
  fixture = new ShimFixture();
});
afterAll(() => fixture.dispose());

const everything = { stdin: false, stdout: true, stderr: true };

/** The pid of the shim whose child the process is; crun's helper may be its parent for a moment more. */
async function shimOf(pid: number): Promise<number> {
  for (;;) {
    const parent = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
    const name = await Bun.file(`/proc/${parent}/comm`)
      .text()
      .catch(() => "");
    if (name === "gantry-shim\n") return parent;
    await Bun.sleep(1);
  }
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

async function ended(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await Bun.sleep(5);
}

describe("exit", () => {
  test("tells the pid and then the exit code, which is also on disk", async () => {
    const before = BigInt(Date.now()) * 1_000_000n;
    const { shim, directory } = fixture.run({ args: ["sh", "-c", "exit 3"] });
    expect(await shim.started).toBe(Number(readFileSync(join(directory, "pid"), "utf8")));
    const record = await shim.exited;
    expect(record).toMatchObject({ exitCode: 3, signal: 0, oomKilled: false });
    expect(record.finishedAt >= before && record.finishedAt - before < 5_000_000_000n).toBe(true);
    expect(readFileSync(join(directory, "exit"), "utf8")).toBe(`3 0 0 ${record.finishedAt}\n`);
  });

  test("signals kill, and are refused once the process has ended", async () => {
    const { shim } = fixture.run({ args: ["sleep", "60"] });
    await shim.started;
    await shim.signal(9);
    expect(await shim.exited).toMatchObject({ exitCode: 137, signal: 9, oomKilled: false });
    expect(errorKind(await rejection(shim.signal(9)))).toBe("conflict");
  });

  test("a process has no signal blocked or ignored", async () => {
    const { shim, directory } = fixture.run({ args: ["cat", "/proc/self/status"] });
    await shim.exited;
    const status = readLog(join(directory, "log")).map((entry) => entry.log);
    for (const mask of ["SigBlk", "SigIgn"]) expect(status).toContain(`${mask}:\t0000000000000000\n`);
  });

  test("an OOM kill is told from an ordinary one", async () => {
    const start = fixture.container({
      args: ["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"],
      memory: 8 << 20,
    });
    const v1 = `/sys/fs/cgroup/memory/${start.id}/memory.oom_control`;
    const oomFile = existsSync("/sys/fs/cgroup/memory") ? v1 : `/sys/fs/cgroup/${start.id}/memory.events`;
    expect(await fixture.spawn({ ...start, oomFile }).exited).toMatchObject({
      exitCode: 137,
      signal: 9,
      oomKilled: true,
    });
  });

  test("kills counted before the start do not", async () => {
    const directory = fixture.directory();
    const oomFile = join(directory, "memory.events");
    writeFileSync(oomFile, "oom 4\noom_kill 4\n");
    const { shim } = fixture.run({ args: ["sh", "-c", "exit 0"], directory, oomFile });
    expect((await shim.exited).oomKilled).toBe(false);
  });
});

describe("failure to start", () => {
  test("gives the runtime's message without touching the container's streams", async () => {
    const { shim, directory } = fixture.run({ args: ["nosuch"], waitAttach: 1 });
    const { socket } = await shim.attach(everything);
    const error = await rejection(shim.started);
    expect(error).toBeInstanceOf(RuntimeStartError);
    expect(error).toMatchObject({
      exitCode: 1,
      message: expect.stringContaining("executable file `nosuch` not found"),
    });
    expect(await rejection(shim.exited)).toBe(error);
    expect((await drain(socket)).length).toBe(0);
    expect(readFileSync(join(directory, "log"), "utf8")).toBe("");
    const later = await Shim.reconnect(directory);
    expect(await rejection(later.started)).toMatchObject({ exitCode: 1, message: expect.stringContaining("nosuch") });
  });

  test("with a terminal", async () => {
    const { shim } = fixture.run({ args: ["nosuch"], terminal: true, stdin: "open" });
    expect(await rejection(shim.started)).toMatchObject({ message: expect.stringContaining("nosuch") });
  });

  test("a runtime that logs nothing is quoted from its stderr", async () => {
    const runtimeArgv = fixture.fakeRuntime("printf 'back\\\\slash\\nand more\\n' >&2; exit 42");
    const shim = fixture.spawn(fixture.start({ directory: fixture.directory(), runtimeArgv }));
    expect(await rejection(shim.started)).toMatchObject({ exitCode: 42, message: "back\\slash\nand more" });
  });

  test("a missing runtime", async () => {
    const shim = fixture.spawn(
      fixture.start({ directory: fixture.directory(), runtimeArgv: ["/nonexistent/crun", "run"] }),
    );
    expect(await rejection(shim.started)).toMatchObject({
      exitCode: 127,
      message: "/nonexistent/crun: No such file or directory",
    });
  });

  test("a runtime that forgets the pid file, and one whose process is not ours", async () => {
    for (const script of ["exit 0", "echo 1 > $pidfile"]) {
      const start = fixture.start({ directory: fixture.directory(), runtimeArgv: fixture.fakeRuntime(script) });
      expect(await rejection(fixture.spawn(start).started)).toMatchObject({ exitCode: 125 });
    }
  });

  test("a shim that cannot be run at all", async () => {
    const directory = fixture.directory();
    const start = fixture.start({ directory: join(directory, "missing"), runtimeArgv: ["crun", "run"] });
    expect(await rejection(fixture.spawn(start).ready)).toBeInstanceOf(RuntimeStartError);
    expect(existsSync("error")).toBe(false);
  });
});

describe("exec", () => {
  test("runs beside the container with its own streams and exit code", async () => {
    const { shim, id } = fixture.run({ args: ["sleep", "60"] });
    await shim.started;
    const exec = fixture.exec(id, ["sh", "-c", "cat; echo err >&2; exit 7"], { stdin: "once", waitAttach: 1 });
    const { socket } = await exec.shim.attach({ stdin: true, stdout: true, stderr: true });
    socket.end("hello\n");
    expect(unframe(await drain(socket))).toEqual({ stdout: "hello\n", stderr: "err\n" });
    expect(await exec.shim.exited).toMatchObject({ exitCode: 7 });
    const failed = fixture.exec(id, ["nosuch"]);
    expect(await rejection(failed.shim.started)).toMatchObject({ message: expect.stringContaining("nosuch") });
    await shim.signal(9);
    await shim.exited;
  });

  test("a child left behind that holds the streams does not hold up the exit", async () => {
    const { shim, id } = fixture.run({ args: ["sleep", "60"] });
    await shim.started;
    const exec = fixture.exec(id, ["sh", "-c", "sleep 60 & echo done"], { waitAttach: 1 });
    const { socket } = await exec.shim.attach(everything);
    expect(unframe(await drain(socket)).stdout).toBe("done\n");
    expect(await exec.shim.exited).toMatchObject({ exitCode: 0 });
    await shim.signal(9);
    await shim.exited;
  });
});

describe("without its daemon", () => {
  /** Starts a shim from a process that is then killed, as the daemon may be. */
  async function orphan(start: ReturnType<ShimFixture["container"]>): Promise<void> {
    const script = `
      import { Shim } from ${JSON.stringify(new URL("shim.ts", import.meta.url).href)};
      const shim = Shim.spawn(${JSON.stringify(shimPath)}, ${JSON.stringify(start)});
      await shim.ready;
      console.log("ready");
      setInterval(() => {}, 1000);`;
    const daemon = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
    await daemon.stdout.getReader().read();
    daemon.kill(9);
    await daemon.exited;
  }

  test("lives on, is found again, attached to, and reports its exit", async () => {
    const args = ["sh", "-c", "while read line; do echo got $line; done; exit 5"];
    const start = fixture.container({ args, stdin: "once" });
    await orphan(start);
    const shim = await Shim.reconnect(start.directory);
    expect(await shimOf(await shim.started)).toBeGreaterThan(1);
    const { socket } = await shim.attach({ stdin: true, stdout: true, stderr: true });
    socket.write("one\n");
    await readUntil(socket, "got one");
    socket.end();
    expect(await shim.exited).toMatchObject({ exitCode: 5 });
    socket.destroy();
  });

  test("does not wait for clients that will not come, and leaves its record", async () => {
    const start = fixture.container({ args: ["sh", "-c", "echo hello; exit 9"], waitAttach: 1 });
    await orphan(start);
    while (!existsSync(join(start.directory, "exit")) || existsSync(join(start.directory, "control.sock")))
      await Bun.sleep(5);
    const shim = await Shim.reconnect(start.directory);
    expect(await shim.exited).toMatchObject({ exitCode: 9, signal: 0 });
    expect(await shim.started).toBeGreaterThan(1);
    expect(readLog(join(start.directory, "log"))).toMatchObject([{ log: "hello\n", stream: "stdout" }]);
  });

  test("two daemons at once both hear of the exit", async () => {
    const { shim, directory } = fixture.run({ args: ["sleep", "60"] });
    await shim.started;
    const other = await Shim.reconnect(directory);
    await other.signal(15); // ignored by an init without a handler: the shim passes on what it is asked, no more
    await other.signal(9);
    expect(await other.exited).toEqual(await shim.exited);
  });

  test("a shim that was killed is lost, and not found again", async () => {
    const { shim, directory } = fixture.run({ args: ["sleep", "60"] });
    const init = await shim.started;
    const pid = await shimOf(init);
    const watcher = await Shim.reconnect(directory);
    process.kill(pid, 9);
    await ended(pid);
    expect(await rejection(shim.exited)).toBeInstanceOf(ShimLost);
    expect(await rejection(watcher.exited)).toBeInstanceOf(ShimLost);
    expect(errorKind(await rejection(Shim.reconnect(directory)))).toBe("not-found");
    process.kill(init, 9);
  });

  test("nothing ever started in an empty directory", async () => {
    expect(errorKind(await rejection(Shim.reconnect(fixture.directory())))).toBe("not-found");
  });

  test("a shim survives the signals that end other programs", async () => {
    const { shim } = fixture.run({ args: ["sleep", "60"] });
    const pid = await shimOf(await shim.started);
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGPIPE", "SIGUSR1"] as const) process.kill(pid, signal);
    await shim.signal(9);
    expect((await shim.exited).exitCode).toBe(137);
  });
});
