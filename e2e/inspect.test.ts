/** What is told about containers: ps, inspect, top, stats, port, diff. */
import { expect, test } from "bun:test";
import { useTarget } from "./lib/journey.ts";
import { Session } from "./lib/session.ts";
import { describeShape } from "./lib/shape.ts";

const target = useTarget();

test("ps", async () => {
  const session = new Session(target());
  await session.play(`
    docker run -d --name one --label a=1 -p 127.0.0.1:5000:80 -p 53:53/udp --expose 99 -v vol:/data busybox sleep 1000
    docker create --name two --label a=2 --label b busybox echo 'a long command that is longer than the column'
    docker run --name three busybox sh -c 'exit 3'
    docker ps | sed 's/   */  /g'
    docker ps -a | sed 's/   */  /g'
    docker ps -a --no-trunc --format '{{.Names}}|{{.Command}}|{{.Labels}}|{{.Ports}}|{{.Mounts}}|{{.Networks}}|{{.LocalVolumes}}|{{.State}}|{{.Size}}' | sed 's/[0-9.]*MB/N/'
    docker ps -q | wc -c
    docker ps -q --no-trunc | wc -c
    docker ps -l --format '{{.Names}}'
    docker ps -n 2 --format '{{.Names}}'
    docker ps -a --filter status=exited --format '{{.Names}}'
    docker ps -a --filter exited=3 --format '{{.Names}}'
    docker ps -a --filter name=t --format '{{.Names}}'
    docker ps -a --filter name=^/two$ --format '{{.Names}}'
    docker ps -a --filter label=a --format '{{.Names}}'
    docker ps -a --filter label=a=2 --format '{{.Names}}'
    docker ps -a --filter label=a=2 --filter label=b --format '{{.Names}}'
    docker ps -a --filter before=two --format '{{.Names}}'
    docker ps -a --filter since=two --format '{{.Names}}'
    docker ps -a --filter since=nothere --format '{{.Names}}'
    docker ps -a --filter ancestor=busybox --format '{{.Names}}'
    docker ps -a --filter ancestor=nothere --format '{{.Names}}'
    docker ps -a --filter volume=vol --format '{{.Names}}'
    docker ps -a --filter volume=/data --format '{{.Names}}'
    docker ps -a --filter network=bridge --format '{{.Names}}'
    docker ps -a --filter publish=80 --format '{{.Names}}'
    docker ps -a --filter publish=5000 --format '{{.Names}}'
    docker ps -a --filter publish=50-60/udp --format '{{.Names}}'
    docker ps -a --filter expose=99 --format '{{.Names}}'
    docker ps -a --filter status=nonsense
    docker ps -a --filter exited=x
    docker ps -a --filter nothing=1
    docker ps -a --filter health=none --format '{{.Names}}'
    docker ps -a --filter is-task=true --format '{{.Names}}'
    docker port one
    docker port one 80
    docker port one 53/udp
    docker port one 81
    docker port one 80/x
    docker top one | awk '{print $1, $2 == "PID" || $2 ~ /^[0-9]+$/, $6, $7, $8, $9}'
    docker top one -o comm,args
    docker top one -Z nonsense | wc -l
    docker top two
    docker exec one sh -c 'echo x >/new; mkdir /dir; touch /dir/f; rm /etc/group; echo >>/etc/passwd; chmod 700 /home; ln -s x /l'
    docker diff one | sort
    docker diff three
    docker diff nothere
    docker ps -as --format '{{.Names}} {{.Size}}' | sed 's/virtual .*/virtual X)/'
    docker inspect -f '{{.State.Status}} {{.Name}} {{.Path}} {{json .Args}} {{.Driver}} {{.Platform}} {{.RestartCount}} {{.SizeRw}}' one
    docker inspect -s -f '{{ge .SizeRw 1}}' one
    docker inspect nothere
    docker inspect one nothere -f '{{.Name}}'
    docker inspect --type image one
    docker inspect --type container busybox
    docker inspect --type volume vol -f '{{.Name}} {{.Driver}} {{.Scope}}'
    docker inspect -f '{{.Nothing}}' one
    docker stats --no-stream --format '{{.Name}} {{.PIDs}}' one
    docker stats --no-stream --format '{{.Name}} {{.PIDs}} {{.CPUPerc}} {{.MemPerc}}' two
    docker stats --no-stream nothere
    docker container ls -a --format '{{.Names}}' --filter name=three
    docker rm -f one two three
    docker volume rm vol
  `);
  await session.matches("inspect/ps");
});

test("every field of an inspect", async () => {
  const session = new Session(target());
  await session.play(`
    docker run -d --name full -h host -e A=b --label l=m -v named:/v -v /etc:/host-etc:ro --tmpfs /t -p 8080:80 --dns 10.0.0.1 --add-host x:10.0.0.2 --cap-add net_admin --memory 64m --cpus 0.5 --restart on-failure:3 --health-cmd true --ulimit nofile=100:200 --sysctl kernel.msgmax=100 --init --read-only --device /dev/null --group-add audio -w /v -u 0 --stop-signal INT --stop-timeout 3 --shm-size 1m --security-opt no-new-privileges --log-opt max-size=1m busybox sleep 1000
    docker inspect -f '{{range .HostConfig.Binds}}{{println .}}{{end}}' full | sort
    docker inspect -f '{{json .HostConfig}}' full | sed 's/"Binds":\\[[^]]*\\]/"Binds":X/' | tr ',' '\\n' | sed 's/"CgroupParent":"[^"]*"/"CgroupParent":"X"/'
    docker inspect -f '{{json .Config}}' full | tr ',' '\\n'
    docker inspect -f '{{range .Mounts}}{{json .}}{{println}}{{end}}' full | sort | sed 's/"Source":"[^"]*_data"/"Source":"DATA"/'
    docker inspect -f '{{json .NetworkSettings.Ports}}' full
    docker inspect -f '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{$v.Gateway}} {{$v.IPPrefixLen}} {{json $v.Aliases}} {{json $v.Links}} {{json $v.IPAMConfig}}{{end}}' full
  `);
  session.note("shape", describeShape(await target().inspect("full")));
  await target().must("rm", "-fv", "full");
  await session.play("docker volume rm named");
  await session.matches("inspect/fields");
});

test("statistics", async () => {
  await target().must("run", "-d", "--name", "busy", "--memory", "64m", "busybox", "sh", "-c", "while :; do :; done");
  await Bun.sleep(1500);
  const response = await target().api("/v1.41/containers/busy/stats?stream=false");
  const stats = (await response.json()) as {
    cpu_stats: { cpu_usage: { total_usage: number }; online_cpus: number };
    precpu_stats: { cpu_usage: { total_usage: number } };
    memory_stats: { limit: number; usage: number };
    pids_stats: { current: number };
    networks: Record<string, { rx_bytes: number }>;
  };
  expect(stats.cpu_stats.cpu_usage.total_usage).toBeGreaterThan(stats.precpu_stats.cpu_usage.total_usage);
  expect(stats.precpu_stats.cpu_usage.total_usage).toBeGreaterThan(0);
  expect(stats.memory_stats.limit).toBe(64 << 20);
  expect(stats.pids_stats.current).toBe(1);
  expect(Object.keys(stats.networks)).toEqual(["eth0"]);
  const line = await target().must("stats", "--no-stream", "--format", "{{.CPUPerc}}", "busy");
  expect(Number.parseFloat(line)).toBeGreaterThan(1);
  await target().must("rm", "-f", "busy");
});
