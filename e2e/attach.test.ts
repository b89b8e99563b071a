/** `docker attach`: several clients, detach keys, signals, standard input. */
import { expect, test } from "bun:test";
import { useTarget } from "./lib/journey.ts";
import { until } from "./lib/run.ts";
import { Session } from "./lib/session.ts";
import { dockerCli } from "./lib/settings.ts";

const target = useTarget();

test("refusals and exit codes", async () => {
  const session = new Session(target());
  await session.play(`
    docker attach nothere
    docker create --name a1 busybox sh -c 'sleep 0.5; exit 3'
    docker attach a1
    docker start a1 >/dev/null; docker attach a1
    docker rm a1
    docker run -d --name p1 busybox sleep 1000
    docker pause p1
    docker attach p1
    docker unpause p1
    docker attach --detach-keys nonsense p1
    docker rm -f p
  `);
  await session.matches("attach/refusals");
});

test("every client sees the output, and input reaches the process", async () => {
  await target().must("run", "-d", "-i", "--name", "echo", "busybox", "sh", "-c", "while read x; do echo got $x; done");
  const watchers = [1, 2].map(() => target().spawn("attach", "--no-stdin", "echo"));
  const writer = target().spawn("attach", "echo");
  await Bun.sleep(1000);
  writer.stdin.write("hello\n");
  await writer.stdin.flush();
  await until("the log", async () => (await target().docker("logs", "echo")).stdout.includes("got hello"));
  writer.kill("SIGKILL");
  await writer.exited;
  expect((await target().docker("inspect", "-f", "{{.State.Running}}", "echo")).stdout).toBe("true\n");
  const late = target().spawn("attach", "echo");
  await Bun.sleep(700);
  late.stdin.write("again\n");
  await late.stdin.flush();
  await until("the log", async () => (await target().docker("logs", "echo")).stdout.includes("got again"));
  await target().must("rm", "-f", "echo");
  for (const watcher of watchers) {
    expect(await watcher.stdout.text()).toBe("got hello\ngot again\n");
  }
  expect(await late.stdout.text()).toBe("got again\n");
});

test("input that ends is closed once", async () => {
  await target().must("create", "-i", "--name", "once", "busybox", "sh", "-c", "cat; echo end of input");
  const started = await target().dockerWith({ input: "text\n" }, "start", "-ai", "once");
  expect(started.stdout).toBe("text\nend of input\n");
  await target().must("rm", "once");
});

test("detach keys", async () => {
  const session = target().pty(["run", "-it", "--name", "d1", "busybox"]);
  await session.expect("# ");
  session.type("x=kept\r");
  await session.expect("# ");
  session.type("\x10\x11");
  expect(await session.exit()).toBe(0);
  expect(await target().must("inspect", "-f", "{{.State.Running}}", "d1")).toBe("true");

  const again = target().pty(["attach", "--detach-keys", "ctrl-a,b", "d1"], { cols: 99, rows: 33 });
  await Bun.sleep(1000);
  again.type("echo $x; stty size\r");
  await again.expect("kept");
  await again.expect("33 99");
  again.type("\x01b");
  expect(await again.exit()).toBe(1);

  const last = target().pty(["attach", "d1"]);
  await Bun.sleep(1000);
  last.type("exit 7\r");
  expect(await last.exit()).toBe(7);
  await target().must("rm", "d1");
});

test("signals are passed on unless told not to", async () => {
  const script = "trap 'echo int; exit 2' INT; trap 'exit 5' TERM; while :; do sleep 0.05; done";
  await target().must("run", "-d", "--name", "s1", "busybox", "sh", "-c", script);
  const quiet = target().spawn("attach", "--sig-proxy=false", "s1");
  await Bun.sleep(700);
  quiet.kill("SIGINT");
  await Bun.sleep(500);
  quiet.kill("SIGKILL"); // The CLI waits for a third signal before it ends by itself.
  await quiet.exited;
  expect(await target().must("inspect", "-f", "{{.State.Running}}", "s1")).toBe("true");
  const proxied = target().spawn("attach", "s1");
  await Bun.sleep(700);
  proxied.kill("SIGINT");
  expect(await proxied.exited).toBe(2);
  await target().must("rm", "s1");
});

test("a websocket", async () => {
  await target().must("run", "-d", "-i", "--name", "ws", "busybox", "sh", "-c", "read x; echo got $x; sleep 1");
  const socket = new WebSocket(
    `ws+unix://${target().socket}:/v1.41/containers/ws/attach/ws?stream=1&stdin=1&stdout=1&logs=0`,
  );
  socket.binaryType = "arraybuffer";
  let text = "";
  socket.onmessage = ({ data }) => {
    text += typeof data === "string" ? data : Buffer.from(data as ArrayBuffer).toString();
  };
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("no websocket"));
  });
  socket.send("hello\n");
  await until("the answer", () => text.includes("got hello"));
  socket.close();
  await target().must("rm", "-f", "ws");
});

test("a terminal follows its client's size", async () => {
  const env = { ...target().cliEnvironment };
  expect(env["DOCKER_HOST"]).toContain(target().socket);
  const session = target().pty([
    "run",
    "-it",
    "--rm",
    "busybox",
    "sh",
    "-c",
    "trap 'stty size' WINCH; while :; do sleep 0.1; done",
  ]);
  await Bun.sleep(1500);
  session.resize(111, 22);
  await session.expect("22 111");
  session.kill("SIGKILL");
  await session.exit();
  expect(dockerCli).not.toBe("");
});
