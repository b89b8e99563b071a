/** `docker run`: exit codes, streams, identity, isolation, limits. */
import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { useTarget } from "./lib/journey.ts";
import { run } from "./lib/run.ts";
import { Session } from "./lib/session.ts";
import { dockerCli } from "./lib/settings.ts";

const target = useTarget();

test("exit codes and refusals", async () => {
  const session = new Session(target());
  await session.play(`
    docker run --rm busybox true
    docker run --rm busybox sh -c 'exit 3'
    docker run --rm busybox nothere
    docker run --rm busybox /etc
    docker run --rm busybox /etc/passwd
    docker run --rm busybox sh -c 'kill -9 $$'
    docker run --rm busybox sh -c 'sh -c "kill -15 \\$\\$"'
    docker run --rm --entrypoint nothere busybox x
    docker run --rm -w relative busybox pwd
    docker run --rm -u nobody-here busybox true
    docker run --rm -u :nogroup-here busybox true
    docker run --rm --pull never nothere:1 true
    docker run --rm --pull never Nothere true
    docker run --rm --memory 1m busybox true
    docker run --rm --cpus 1000 busybox true 2>&1 | sed 's/[0-9.]* CPUs* available/N CPUs available/; s/ to [0-9.]*,/ to N,/'
    docker run --rm --memory 64m --memory-swap 32m busybox true
    docker run --rm --memory-swap 64m busybox true
    docker run --rm --network nothere busybox true
    docker run --rm --network container:nothere busybox true
    docker run --rm --pid container:nothere busybox true
    docker run --rm --ipc container:nothere busybox true
    docker run --rm --ipc bad busybox true
    docker run --rm --pid bad busybox true
    docker run --rm --cap-add NOTHING busybox true
    docker run --rm --cap-drop cap_nothing busybox true
    docker run --rm --runtime nothere busybox true
    docker run --rm --log-driver nothere busybox true
    docker run --rm --volumes-from nothere busybox true
    docker run --rm --device /dev/nothere busybox true
    docker run --rm --restart sometimes busybox true
    docker run --rm --restart always busybox true
    docker run --rm -d -a stdout busybox true
    docker run --rm -v /a:b busybox true
    docker run --rm -v /a:/b:zz busybox true
    docker run --rm -v 'bad name:/b' busybox true
    docker run --rm --mount type=bind,source=/nothere,target=/x busybox true
    docker run --rm --mount type=volume,target=relative busybox true
    docker run --rm --tmpfs relative busybox true
    docker run --rm -v /etc:/x -v /usr:/x busybox true
    docker run --rm --sysctl kernel.shmmax=1 --sysctl bad.name=1 busybox true
    docker run --rm --net host --sysctl net.ipv4.ip_forward=1 busybox true
    docker run --rm --security-opt nothing=1 busybox true
    docker run --rm --security-opt seccomp=/nothere busybox true
    docker run --rm --ulimit nothing=1 busybox true
    docker run --rm --ulimit nofile=2:1 busybox true
    docker run --rm --oom-score-adj 5000 busybox true
    docker run --rm --stop-signal NOTHING busybox true
    docker run --rm --shm-size 0 --ipc private busybox sh -c 'df /dev/shm | tail -1 | wc -l'
    docker run --rm --hostname bad_host busybox hostname
    docker run --rm --net host --link x busybox true
    docker run --rm --net none -p 80:80 busybox true
    docker run --rm -p 80:80:80:80 busybox true
    docker run --rm --dns nothere busybox true
    docker run --rm --add-host bad busybox true
    docker run --rm --mac-address zz busybox true
    docker run --rm --uts bad busybox true
    docker run --rm --userns bad busybox true
    docker run --rm --cgroupns bad busybox true
    docker run --rm --isolation hyperv busybox true
    docker run --name 'bad name' busybox true
    docker run --name x busybox true
    docker run --name one busybox true
    docker run --name one busybox true
    docker rm one
    docker ps -a --format '{{.Image}} {{.Command}} {{.Names}}'
  `);
  await session.matches("run/refusals");
});

test("the process as it sees itself", async () => {
  const session = new Session(target());
  await session.play(`
    docker run --rm busybox env | grep -v HOSTNAME | sort
    docker run --rm -e A=1 -e B -e HOME=/x busybox env | grep -v HOSTNAME | sort
    B=fromcli docker run --rm -e B busybox env | grep ^B
    printf 'C=3\\n# no\\nB\\nD=a b\\n' >env; B=yes docker run --rm --env-file env busybox env | grep -v HOSTNAME | sort
    docker run --rm -t busybox env | grep TERM
    docker run --rm -h web --domainname example.org busybox sh -c 'hostname; hostname -f; cat /etc/hostname; grep web /etc/hosts | cut -f2'
    docker run --rm -w /new/dir busybox sh -c 'pwd; stat -c %u:%g:%a .'
    docker run --rm -u ann busybox id
    docker run --rm -u ann busybox sh -c 'echo $HOME'
    docker run --rm -u 1234 busybox id
    docker run --rm -u 1234:50 --group-add audio --group-add 777 busybox id
    docker run --rm -u daemon:staff busybox id
    docker run --rm --entrypoint echo busybox a b
    docker run --rm --entrypoint '' busybox echo c
    docker run --rm busybox sh -c 'cat /proc/1/comm; echo $$'
    docker run --rm --init busybox sh -c 'cat /proc/1/comm'
    docker run --rm busybox sh -c 'grep -E "^(Cap|NoNew|Seccomp:)" /proc/self/status'
    docker run --rm --cap-drop all --cap-add net_raw busybox sh -c 'grep -E "^Cap" /proc/self/status'
    docker run --rm --cap-add sys_admin --cap-drop chown busybox sh -c 'grep -E "^CapEff" /proc/self/status'
    docker run --rm -u ann busybox sh -c 'grep -E "^Cap" /proc/self/status'
    docker run --rm --security-opt no-new-privileges busybox grep NoNew /proc/self/status
    docker run --rm --security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status
    docker run --rm --privileged busybox sh -c 'grep Seccomp: /proc/self/status; ls /dev/loop-control /dev/kmsg; mount | grep -c "sysfs.*rw"'
    docker run --rm --read-only busybox sh -c 'touch /x; touch /dev/shm/y && echo shm; touch /etc/hosts && echo hosts'
    docker run --rm --read-only --tmpfs /run:size=1m,mode=711 busybox sh -c 'touch /run/x && echo ok; grep " /run " /proc/mounts | cut -d" " -f3,4; stat -c %a /run'
    docker run --rm busybox sh -c 'ls -1 /dev; ls -l /dev/fd /dev/stdin /dev/ptmx | sed "s/.* \\/dev/\\/dev/"'
    docker run --rm busybox sh -c 'cut -d" " -f2,3,4 /proc/mounts | grep -v "^/ " | grep -E "^/(dev|sys |proc |proc/sys)" | sed "s/,inode64//" | sort'
    docker run --rm busybox sh -c 'cat /proc/timer_list | wc -c; echo 1 >/proc/sys/kernel/hostname; touch /sys/x'
    docker run --rm --security-opt systempaths=unconfined busybox sh -c 'grep -c "proc/sys" /proc/mounts'
    docker run --rm --device /dev/null:/dev/mine:r busybox sh -c 'ls -l /dev/mine | cut -c1; echo x >/dev/mine; cat /dev/mine'
    docker run --rm busybox sh -c 'mknod /tmp/d c 1 3 && echo made; mknod /tmp/sda b 8 0 && dd if=/tmp/sda count=1'
    docker run --rm --ulimit nofile=100:200 --ulimit core=0 busybox sh -c 'ulimit -n; ulimit -Hn; ulimit -c'
    docker run --rm --sysctl net.ipv4.ip_forward=0 --sysctl kernel.msgmax=1234 busybox sysctl net.ipv4.ip_forward kernel.msgmax
    docker run --rm --shm-size 12m busybox df -k /dev/shm | tail -1
    docker run --rm --oom-score-adj 321 busybox cat /proc/self/oom_score_adj
    docker run --rm --uts host busybox hostname | grep -cx "$(hostname)"
    docker run --rm --pid host busybox sh -c '[ $$ != 1 ] && echo host'
    docker run --rm --ipc host busybox sh -c 'readlink /proc/self/ns/ipc' | grep -cxF "$(readlink /proc/self/ns/ipc)"
    docker run --rm --net host busybox readlink /proc/self/ns/net | grep -cxF "$(host readlink /proc/self/ns/net)"
    docker run -d --name base --ipc shareable busybox sh -c 'trap "exit 0" TERM; touch /dev/shm/shared; while :; do sleep 0.1; done'
    docker run --rm --pid container:base busybox sh -c 'ps | grep -q "[w]hile" && echo seen'
    docker run --rm --ipc container:base busybox ls /dev/shm
    docker run --rm --net container:base busybox hostname | grep -c "$(docker inspect -f '{{.Config.Hostname}}' base)"
    docker run --rm --net container:base -h x busybox true
    docker run --rm --net container:base -p 80:80 busybox true
    docker stop base
    docker run --rm --pid container:base busybox true
    docker run --rm --net container:base busybox true
    docker rm base
    docker run --cidfile cid -d --label a=b --label c busybox true
    cat cid | wc -c
    docker run --cidfile cid busybox true
    docker wait $(cat cid)
    docker inspect -f '{{json .Config.Labels}}' $(cat cid)
    docker rm $(cat cid) | wc -c
  `);
  await session.matches("run/process");
});

test("limits are where the kernel reads them", async () => {
  const session = new Session(target());
  await session.play(`
    docker run -d --name limited --memory 64m --memory-swap 128m --memory-reservation 32m --cpus 0.5 --cpu-shares 512 --pids-limit 50 --cpuset-cpus 0 busybox sleep 1000
    limit limited memory
    limit limited swap
    limit limited reservation
    limit limited quota
    limit limited pids
    limit limited cpus
    docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpuShares}} {{.HostConfig.PidsLimit}}' limited
    docker update --memory 96m --memory-swap 192m --cpus 1 --pids-limit 60 limited
    limit limited memory
    limit limited quota
    limit limited pids
    docker update --memory 512m limited
    docker update --restart always limited
    docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' limited
    docker update limited
    docker rm -f limited
    docker run --name oom --memory 16m busybox sh -c 'cat /dev/zero | head -c 200m | tail' >/dev/null 2>&1; echo $?
    docker inspect -f '{{.State.OOMKilled}}' oom
    docker rm oom
    docker run --rm --pids-limit 3 busybox sh -c 'sleep 5 & sleep 5 & sleep 5 & sleep 5 & wait' 2>&1 | grep -c fork
    docker run --rm --memory 32m --kernel-memory 16m busybox true
    docker run --rm --cpu-period 100000 --cpu-quota 50000 --cpus 1 busybox true
    docker run --rm --cpu-quota 100 busybox true
    docker run --rm --cpuset-cpus 100 busybox true 2>&1 | sed 's/available: .*/available: N/'
    docker run --rm --cpuset-cpus x busybox true
    docker run --rm --cpuset-mems 5 busybox true 2>&1 | sed 's/available: .*/available: N/'
    docker run --rm --pids-limit -1 busybox true
    docker run --rm --memory-swappiness 101 busybox true
    docker run --rm --memory-reservation 1m busybox true
    docker run --rm --memory 32m --memory-reservation 64m busybox true
  `);
  await session.matches("run/limits");
});

test("input and output pass unchanged", async () => {
  const data = randomBytes(10 << 20);
  const env = target().cliEnvironment;
  const echo = Bun.spawn([dockerCli, "run", "-i", "--rm", "busybox", "cat"], {
    env,
    stdin: new Blob([data]),
    stdout: "pipe",
  });
  const back = new Uint8Array(await new Response(echo.stdout).arrayBuffer());
  expect(await echo.exited).toBe(0);
  expect(back.length).toBe(data.length);
  expect(Buffer.compare(data, back)).toBe(0);

  const sum = new Bun.CryptoHasher("sha256").update(data).digest("hex");
  const input = await run([dockerCli, "run", "-i", "--rm", "busybox", "sha256sum"], { env, input: data });
  expect(input.stdout).toBe(`${sum}  -\n`);

  const both = await target().docker("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7");
  expect(both).toEqual({ stdout: "out\n", stderr: "err\n", code: 7 });
  const one = await target().docker("run", "--rm", "-a", "stderr", "busybox", "sh", "-c", "echo out; echo err >&2");
  expect(one).toEqual({ stdout: "", stderr: "err\n", code: 0 });
  const noInput = await target().dockerWith({ input: "lost" }, "run", "--rm", "busybox", "cat");
  expect(noInput).toEqual({ stdout: "", stderr: "", code: 0 });
});

test("a terminal", async () => {
  const session = target().pty(["run", "-it", "--rm", "--name", "tty", "busybox"], { cols: 90, rows: 30 });
  await session.expect("# ");
  session.type("stty size; tty; test -t 2 && echo 'a t''ty'\r");
  await session.expect("30 90");
  await session.expect("/dev/pts/0");
  await session.expect("a tty");
  session.resize(120, 40);
  await Bun.sleep(300);
  session.type("stty size\r");
  await session.expect("40 120");
  session.type("sleep 100\r");
  await session.expect("sleep 100");
  await Bun.sleep(500);
  session.type("\x03");
  session.type("echo back-$((1+1))\r");
  await session.expect("back-2");
  session.type("exit 9\r");
  expect(await session.exit()).toBe(9);
  const refused = await target().docker("run", "-it", "--rm", "busybox", "true");
  expect(refused.code).toBe(1);
  const headless = await target().docker("run", "-t", "--rm", "busybox", "sh", "-c", "echo a; echo b >&2");
  expect(headless).toEqual({ stdout: "a\r\nb\r\n", stderr: "", code: 0 });
});

test("signals reach the container through the CLI", async () => {
  const script = "trap 'echo got term; exit 4' TERM; echo ready; while :; do sleep 0.05; done";
  const client = target().spawn("run", "--rm", "busybox", "sh", "-c", script);
  const reader = client.stdout.getReader();
  const { value } = await reader.read();
  expect(new TextDecoder().decode(value)).toBe("ready\n");
  client.kill("SIGTERM");
  expect(await client.exited).toBe(4);
});
