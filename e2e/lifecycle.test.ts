/** A container's life: start, stop, restart, kill, pause, update, rename, wait, policies, health, prune, and the events of all that. */
import { expect, test } from "bun:test";
import { useTarget } from "./lib/journey.ts";
import { Session } from "./lib/session.ts";

const target = useTarget();

test("links have names, --rm outlives a restart, namespaces are joined by name", async () => {
  const session = new Session(target());
  await session.play(`
    docker run -d --name db busybox sleep 1000 >/dev/null
    docker run -d --name web --link db:data busybox sleep 1000 >/dev/null
    docker rename db store
    docker ps --no-trunc --format '{{.Names}}'
    docker inspect -f '{{json .HostConfig.Links}}' web
    docker inspect -f '{{.Name}}' web/data
    docker exec web sh -c 'ping -c 1 -w 5 data >/dev/null && env | grep DATA_NAME'
    docker rename web front
    docker inspect -f '{{.Name}} {{json .HostConfig.Links}}' front
    docker inspect -f '{{.Name}}' front/data
    docker rm --link front/nothere
    docker rm --link nothere/data
    docker rm --link front/data
    docker inspect -f '{{json .HostConfig.Links}}' front
    docker run --rm --link nothere:x busybox true
    docker rm -f store front >/dev/null
    docker run -d --rm --name brief busybox sleep 1000 >/dev/null
    docker restart -t 0 brief
    docker inspect -f '{{.State.Status}} {{.HostConfig.AutoRemove}}' brief
    docker stop -t 0 brief
    until_true sh -c '! docker inspect brief >/dev/null 2>&1'
    docker create --pid container:nothere busybox
    docker create --ipc container:nothere busybox
    docker create --name idle busybox
    docker run --rm --pid container:idle busybox true
    docker rm idle
    docker run -d --name box busybox sleep 1000 >/dev/null
    docker exec -u nothere box true
    docker exec -u 0:nothere box true
    docker cp box:/nothere -
    docker cp box:/etc/./. - | tar -t | grep -c passwd
    docker rm -f box >/dev/null
    docker run -d --name db busybox sleep 1000 >/dev/null
    docker run -d --name filler busybox sleep 1000 >/dev/null
    docker run -d --name web --link db:data busybox sleep 1000 >/dev/null
    docker stop -t 0 db >/dev/null; docker run -d --name taker busybox sleep 1000 >/dev/null; docker start db >/dev/null
    [ "$(docker inspect -f '{{.NetworkSettings.IPAddress}}' db)" = "$(docker exec web sh -c 'grep -w data /etc/hosts | head -1 | cut -f1')" ] && echo same
    docker ps --filter since=db --format '{{.Names}}'
    docker stop -t 0 taker >/dev/null
    docker ps --filter since=db --format '{{.Names}}'
    docker ps -a --filter since=db --format '{{.Names}}'
    docker run --rm --net container:me --name me busybox true
    docker rm me
    docker run -d --name hosted --net host busybox sleep 1000 >/dev/null
    docker run --rm --link hosted:x busybox true
    docker network create own >/dev/null; docker run --rm --net own --link nothere:x busybox true && echo ran; docker network rm own
    docker rm -f db filler web taker hosted >/dev/null
    docker create --name made -w /made/here busybox true >/dev/null
    docker cp made:/made - | tar -t
    docker start -a made
    docker cp made:/etc/hostname - | tar -xO | grep -c .
    docker rm made
    docker run --rm -w /bin/busybox busybox true
    docker run --rm -e HOME= busybox sh -c 'echo $HOME'
    docker run --rm -v /proc//sys busybox true >/dev/null 2>&1 || echo refused
    docker events --until "$(date +%s.%N)" --filter container=made --format '{{.Action}}' | grep -c -e create -e archive-path
    docker run -d --name box busybox sleep 1000 >/dev/null; e=$(curl -sS --unix-socket "$SOCKET" -X POST -H 'Content-Type: application/json' -d '{"Cmd":["true"]}' http://d/containers/box/exec | cut -d'"' -f4); docker stop -t 0 box >/dev/null; docker start box >/dev/null; api POST "/exec/$e/start" '{}' | tail -1; docker rm -f box >/dev/null
    api POST '/containers/nothere/attach?stream=1&stdout=1'
    `);
  await session.matches("lifecycle/shared");
});

test("start, stop, kill, pause, rename, remove", async () => {
  const session = new Session(target());
  await session.play(`
    docker create --name web busybox sh -c 'trap "echo bye; exit 5" TERM; echo up; while :; do sleep 0.05; done'
    docker ps -a --format '{{.Names}} {{.State}} {{.Status}}'
    docker stop web
    docker kill web
    docker pause web
    docker unpause web
    docker exec web true
    docker top web
    docker port web
    docker start web
    until_logged web up
    docker start web
    docker ps --format '{{.Names}} {{.State}} {{.Status}}'
    docker pause web
    docker pause web
    docker ps --format '{{.Names}} {{.State}} {{.Status}}'
    docker exec web true
    docker start web
    docker restart -t 20 web 2>&1 | head -1
    docker unpause web
    docker unpause web
    until_true logged_times web up 2
    docker stop -t 20 web
    docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Running}} {{.State.Pid}} {{.State.OOMKilled}} {{.State.Error}}' web
    docker logs web
    docker start web
    docker kill -s NOTHING web
    docker kill -s USR1 web
    docker inspect -f '{{.State.Status}}' web
    docker kill web
    docker start -a web & until_true logged_times web up 4; docker kill -s TERM web >/dev/null; wait
    docker start web
    docker kill web
    docker wait web
    docker wait nothere
    docker rename web web2
    docker rename web x
    docker create --name other busybox true
    docker rename web2 other
    docker rename web2 web2
    docker rename web2 ''
    docker rename other third
    docker start web2
    docker rm web2
    docker rm -f web2
    docker rm web2
    docker rm -f web2
    docker start nothere
    docker stop nothere
    docker restart nothere
    docker start nothere third
    docker start -a nothere
    docker start -a third
    docker rm third
    docker run -d --name stubborn --stop-timeout 1 busybox sh -c 'trap "" TERM; while :; do sleep 0.05; done'
    docker stop stubborn
    docker inspect -f '{{.State.ExitCode}}' stubborn
    docker start stubborn
    docker restart -t 0 stubborn
    docker inspect -f '{{.RestartCount}} {{.State.Running}}' stubborn
    docker rm -f stubborn
    docker run -d --name int --stop-signal INT busybox sh -c 'trap "exit 6" INT; echo up; while :; do sleep 0.05; done'
    until_logged int up
    docker stop -t 20 int
    docker wait int
    docker rm int
    echo hello | docker run -i --name in busybox cat
    echo again | docker start -a -i in
    docker rm in
    docker run --name gone --rm busybox true
    docker inspect gone
    docker start -ai a b
    docker create --name bad busybox nothere
    docker start bad
    docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}' bad
    docker rm bad
  `);
  await session.matches("lifecycle/states");
});

test("wait's conditions", async () => {
  const session = new Session(target());
  await session.play(`
    docker create --name w1 busybox sh -c 'sleep 3; exit 8'
    api POST /v1.41/containers/w1/wait
    api POST '/v1.41/containers/w1/wait?condition=next-exit' & sleep 0.5; docker start w1 >/dev/null; wait
    docker start w1; api POST '/v1.41/containers/w1/wait?condition=removed' & until_state w1 exited; docker rm w1 >/dev/null; wait
    api POST '/v1.41/containers/w1/wait?condition=removed'
    api POST '/v1.41/containers/w1/wait?condition=nonsense'
    docker run -d --name w1 busybox true | wc -c
    api POST '/v1.41/containers/w1/wait?condition=nonsense'
    until_state w1 exited
    docker rm w1
  `);
  await session.matches("lifecycle/wait");
});

test("restart policies", async () => {
  const session = new Session(target());
  await session.play(`
    docker run -d --name fails --restart on-failure:2 busybox sh -c 'echo try; exit 1'
    until_true sh -c '[ $(docker inspect -f "{{.RestartCount}} {{.State.Status}}" fails | tr -d " ") = 2exited ]'
    docker logs fails
    docker inspect -f '{{.State.ExitCode}} {{.State.Restarting}} {{.RestartCount}} {{json .HostConfig.RestartPolicy}}' fails
    docker rm fails
    docker run -d --name ok --restart on-failure busybox true
    docker wait ok
    docker inspect -f '{{.RestartCount}}' ok
    docker rm ok
    docker run -d --name always --restart always busybox sh -c 'echo once; sleep 0.2'
    until_true sh -c '[ $(docker logs always | wc -l) -ge 2 ]'
    docker stop always
    sleep 1
    docker inspect -f '{{.State.Status}}' always
    docker rm always
    docker run -d --name killed --restart unless-stopped busybox sleep 1000
    docker kill killed
    sleep 1
    docker inspect -f '{{.State.Status}}' killed
    docker start killed
    docker exec killed kill -9 1
    docker rm -f killed
    docker create --restart always:3 busybox true
    docker create --restart on-failure:-1 busybox true
    docker create --restart maybe busybox true
    # The delay doubles each time: after so many failures there is time to look.
    docker run -d --name loop --restart always busybox false
    until_true sh -c '[ $(docker inspect -f "{{.RestartCount}}" loop) -ge 6 ]'
    until_state loop restarting
    docker ps --filter status=restarting --format '{{.Names}} {{.State}}'
    docker exec loop true 2>&1 | sed 's/Container .* is/Container X is/'
    docker update --restart no loop
    until_state loop exited
    docker rm -f loop
  `);
  await session.matches("lifecycle/policies");
});

test("health", async () => {
  const session = new Session(target());
  await session.play(`
    docker run -d --name h1 --health-cmd 'cat /etc/group >/dev/null' --health-interval 200ms --health-retries 2 --health-timeout 5s --health-start-period 0s busybox sleep 1000
    until_health h1 healthy
    docker ps --filter health=healthy --format '{{.Names}} {{.Status}}'
    docker inspect -f '{{.State.Health.FailingStreak}} {{(index .State.Health.Log 0).ExitCode}} {{json (index .State.Health.Log 0).Output}}' h1
    docker exec h1 mv /etc/group /tmp/group
    until_health h1 unhealthy
    docker inspect -f '{{range .State.Health.Log}}{{.ExitCode}} {{json .Output}}{{println}}{{end}}' h1 | grep . | tail -n 1
    docker inspect -f '{{json .Config.Healthcheck}}' h1
    docker exec h1 mv /tmp/group /etc/group
    until_health h1 healthy
    docker stop -t 0 h1
    docker inspect -f '{{.State.Health.Status}}' h1
    docker rm h1
    docker run -d --name slow --health-cmd 'sleep 10' --health-interval 100ms --health-timeout 200ms --health-retries 1 busybox sleep 1000
    until_health slow unhealthy
    docker inspect -f '{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}' slow
    docker rm -f slow
    docker run -d --name none --no-healthcheck busybox sleep 1000
    docker inspect -f '{{json .Config.Healthcheck}} {{json .State.Health}}' none
    docker rm -f none
    docker run --health-cmd true --health-interval 1us busybox true
    docker run --health-cmd true --health-retries -1 busybox true
    docker run --no-healthcheck --health-cmd true busybox true
  `);
  await session.matches("lifecycle/health");
});

test("events and prune", async () => {
  const since = (Date.now() / 1000).toFixed(3);
  const session = new Session(target());
  await session.play(`
    docker run --name e1 --label color=red busybox true
    docker start -a e1
    docker rename e1 f1
    docker run -d --name g1 busybox sleep 1000
    docker exec g1 true
    docker pause g1
    docker unpause g1
    docker update --cpu-shares 100 g1
    docker kill g1
    docker rm g1
    docker rm f1
    docker container prune -f
    docker volume create vv
    docker volume rm vv
    docker tag busybox other:1
    docker rmi other:1
    docker create --name p1 busybox true
    docker container prune -f --filter label=none
    docker container prune -f --filter 'until=1h'
    docker container prune -f | sed 1d | grep -v '^<\\|^[0-9a-f]'
    docker ps -aq
    docker container prune -f --filter nothing=1
  `);
  await Bun.sleep(1100);
  const range = ["--since", since, "--until", (Date.now() / 1000).toFixed(3)];
  const format = "{{.Type}} {{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}";
  session.note("events", await target().must("events", ...range, "--format", format));
  for (const filter of [
    "container=f1",
    "event=die",
    "type=volume",
    "label=color=red",
    "image=busybox",
    "event=exec_die",
    "scope=swarm",
  ]) {
    session.note(`events ${filter}`, await target().must("events", ...range, "-f", filter, "--format", format));
  }
  await session.play("docker events --since nonsense --until 1s\ndocker events -f nothing=1 --since 0s --until 0s");
  await session.matches("lifecycle/events");
});

test("events as they happen", async () => {
  const since = (Date.now() / 1000).toFixed(3);
  const client = target().spawn("events", "--since", since, "-f", "type=container", "--format", "{{.Action}}");
  await target().must("run", "--rm", "busybox", "true");
  let shown = "";
  for await (const bytes of client.stdout) {
    shown += new TextDecoder().decode(bytes);
    if (shown.includes("destroy\n")) break;
  }
  client.kill("SIGINT");
  await client.exited;
  expect(shown.trim().split("\n")).toEqual(["create", "attach", "start", "die", "destroy"]);
});

test("who hears of a container's end finds it, though it is removed at once", async () => {
  const abort = new AbortController();
  const filters = encodeURIComponent(JSON.stringify({ type: ["container"], event: ["die"] }));
  const events = await target().api(`/events?filters=${filters}`, { signal: abort.signal });
  const ended = target().docker("run", "--rm", "busybox", "true");
  let found = 0;
  for await (const bytes of events.body as ReadableStream<Uint8Array>) {
    const { id } = JSON.parse(Buffer.from(bytes).toString()) as { id: string };
    found = (await target().api(`/containers/${id}/json`)).status;
    break;
  }
  abort.abort();
  expect(found).toBe(200);
  expect((await ended).code).toBe(0);
});
