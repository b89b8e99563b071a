/** `docker logs` and the log drivers. */
import { expect, test } from "bun:test";
import { useTarget } from "./lib/journey.ts";
import { until } from "./lib/run.ts";
import { Session } from "./lib/session.ts";

const target = useTarget();

test("what was written is told, as asked", async () => {
  const session = new Session(target());
  await session.play(`
    docker run --name l1 busybox sh -c 'echo one; echo two >&2; sleep 1.5; echo three; printf unfinished'
    docker logs l1
    docker logs l1 2>/dev/null
    docker logs --tail 2 l1
    docker logs --tail 0 l1
    docker logs --tail all l1 | wc -l
    docker logs -n 1 l1
    docker logs --tail nonsense l1 | wc -l
    docker logs -t l1 2>&1 | cut -c1-4 | sort -u | wc -l
    docker logs -t --tail 1 l1 | sed 's/^[^ ]*Z /T /'
    docker logs --since $(docker inspect -f '{{.State.StartedAt}}' l1 | cut -c1-19)Z l1
    docker logs --since 1h l1 | wc -l
    sleep 1; docker logs --since 0s l1
    docker logs --until 1h l1
    docker logs --since nonsense l1
    docker logs --since 2001-01-01 --until 2002-01-01 l1
    docker logs -f l
    docker logs nothere
    docker start -a l1 >/dev/null 2>&1; docker logs l1 2>&1 | wc -l
    docker rm l1
    docker logs l1
    docker run --name big busybox sh -c 'head -c 100000 /dev/zero | tr "\\0" z; echo; echo end' >/dev/null
    docker logs big | wc
    docker logs --tail 1 big
    docker rm big
    docker run --name tty -t busybox sh -c 'echo a; echo b >&2'
    docker logs tty 2>/dev/null
    docker rm tty
    docker run --name detail --label a=b --env E=f --log-opt labels=a --log-opt env=E busybox echo line
    docker logs --details detail
    docker rm detail
    docker create --name fresh busybox true
    docker logs fresh
    docker rm fresh
  `);
  await session.matches("logs/reading");
});

test("drivers and their options", async () => {
  const session = new Session(target());
  await session.play(`
    docker run --name n1 --log-driver none busybox echo unseen
    docker logs n1
    docker inspect -f '{{.HostConfig.LogConfig.Type}} {{.LogPath}}' n1
    docker rm n1
    docker run --name lo --log-driver local busybox sh -c 'echo out; echo err >&2'
    docker logs lo
    docker logs -t lo 2>&1 | cut -c1-2 | sort -u
    docker inspect -f '{{.HostConfig.LogConfig.Type}}' lo
    docker rm lo
    docker create --log-opt nothing=1 busybox true
    docker create --log-opt max-size=nonsense busybox true
    docker create --log-opt max-size=-1 busybox true
    docker create --log-opt max-file=0 busybox true
    docker create --log-opt max-file=x busybox true
    docker create --log-opt compress=maybe busybox true
    docker create --log-opt mode=nonsense busybox true
    docker create --log-driver local --log-opt nothing=1 busybox true
    docker ps -aq
    docker run --name r1 --log-opt max-size=20k --log-opt max-file=3 busybox sh -c 'for i in $(seq 1 2000); do echo line $i; done' >/dev/null
    docker logs r1 | tail -1
    [ $(docker logs r1 | wc -l) -lt 2000 ] && echo rotated
    ls $(dirname $(docker inspect -f '{{.LogPath}}' r1)) | grep -c json.log
    docker inspect -f '{{json .HostConfig.LogConfig}}' r1
    docker rm r1
    docker run --name c1 --log-opt max-size=20k --log-opt max-file=3 --log-opt compress=true busybox sh -c 'for i in $(seq 1 2000); do echo line $i; done' >/dev/null
    docker logs c1 | tail -1
    docker rm c1
    docker run --name j1 busybox echo '"quoted" é <&>'
    cat $(docker inspect -f '{{.LogPath}}' j1)
    docker rm j1
  `);
  await session.matches("logs/drivers");
});

test("following", async () => {
  const session = new Session(target());
  await session.play(`
    docker run -d --name f1 busybox sh -c 'for i in 1 2 3 4 5; do echo $i; sleep 0.3; done'
    docker logs -f f1
    docker run -d --name g1 busybox sh -c 'echo old; sleep 1; echo new'
    until_logged g1 old
    docker logs -f --tail 0 g1
    sleep 1; docker logs -f --since 0s g1
    docker rm f1 g1
  `);
  await session.matches("logs/following");
  await target().must("run", "-d", "--name", "h1", "busybox", "sh", "-c", "while :; do echo x; sleep 0.05; done");
  const followers = [1, 2, 3].map(() => target().spawn("logs", "-f", "h1"));
  await Bun.sleep(1000);
  await target().must("rm", "-f", "h1");
  const codes = await until("followers to end", () =>
    followers.every(({ exitCode }) => exitCode !== null) ? followers.map(({ exitCode }) => exitCode) : undefined,
  );
  expect(codes).toEqual([0, 0, 0]);
});
