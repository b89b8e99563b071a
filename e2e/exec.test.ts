/** `docker exec`. */
import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { useTarget } from "./lib/journey.ts";
import { Session } from "./lib/session.ts";

const target = useTarget();

test("exec", async () => {
  const session = new Session(target());
  await session.play(`
    docker run -d --name box -e FROM=container -w /tmp -u ann busybox sleep 1000
    docker exec box sh -c 'echo out; echo err >&2; exit 4'
    docker exec box sh -c 'id; pwd; echo $FROM $HOME'
    docker exec -u root box sh -c 'id -u; echo $HOME'
    docker exec -u 0:staff box id
    docker exec -u nobody-here box true
    docker exec -w /etc box pwd
    docker exec -w relative box pwd
    docker exec -w /nothere box pwd
    docker exec -e A=1 -e FROM=exec box sh -c 'echo $A $FROM'
    docker exec box nothere
    docker exec box /etc
    docker exec box sh -c 'kill -9 $$'
    docker exec box sh -c 'grep CapEff /proc/self/status'
    docker exec -u root box sh -c 'grep CapEff /proc/self/status'
    docker exec --privileged -u root box sh -c 'grep CapBnd /proc/self/status' | grep -c a80425fb
    echo through | docker exec -i box cat
    echo ignored | docker exec box cat
    docker exec -t box sh -c 'tty; echo a >&2'
    docker exec -d box touch /tmp/detached
    until_true docker exec box ls /tmp/detached
    docker exec -d box nothere
    docker exec nothere true
    docker exec box
    docker exec -d -i box cat
    id=$(api POST /v1.41/containers/box/exec '{"Cmd":["sh","-c","exit 9"],"AttachStdout":true}' | head -1 | cut -d'"' -f4); api POST /v1.41/exec/$id/start '{"Detach":true}'; sleep 1; api GET /v1.41/exec/$id/json | sed 's/"Pid":[0-9]*/"Pid":N/'
    api POST /v1.41/containers/box/exec '{}'
    api POST /v1.41/containers/nothere/exec '{"Cmd":["true"]}'
    api GET /v1.41/exec/nothere/json
    api POST /v1.41/exec/nothere/start '{}'
    docker inspect -f '{{json .ExecIDs}}' box
    docker exec -d box sleep 50
    docker inspect -f '{{len .ExecIDs}}' box
    docker top box -o args
    docker stop -t 0 box
    docker exec box true
    docker rm box
  `);
  await session.matches("exec/exec");
});

test("a terminal in a running container", async () => {
  await target().must("run", "-d", "--name", "shell", "busybox", "sleep", "1000");
  const session = target().pty(["exec", "-it", "-e", "X=y", "shell", "sh"], { cols: 70, rows: 20 });
  await session.expect("# ");
  session.type("stty size; echo $X$TERM\r");
  await session.expect("20 70");
  await session.expect("yxterm");
  session.resize(101, 31);
  await Bun.sleep(300);
  session.type("stty size\r");
  await session.expect("31 101");
  session.type("\x10\x11");
  expect(await session.exit()).toBe(1);
  expect(await target().must("top", "shell", "-eo", "pid,args")).toContain("sh");
  await target().must("rm", "-f", "shell");
});

test("large streams", async () => {
  await target().must("run", "-d", "--name", "pipe", "busybox", "sleep", "1000");
  const data = randomBytes(8 << 20);
  const sum = new Bun.CryptoHasher("sha256").update(data).digest("hex");
  const { stdout } = await target().dockerWith({ input: data }, "exec", "-i", "pipe", "sha256sum");
  expect(stdout).toBe(`${sum}  -\n`);
  const out = await target().docker("exec", "pipe", "sh", "-c", "head -c 8388608 /dev/zero | tr '\\0' x");
  expect(out.stdout.length).toBe(8 << 20);
  await target().must("rm", "-f", "pipe");
});
