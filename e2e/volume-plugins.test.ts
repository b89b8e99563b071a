/** Volume drivers as plugins of Docker's legacy protocol. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { useTarget } from "./lib/journey.ts";
import { usePlugin } from "./lib/plugin.ts";
import { Session } from "./lib/session.ts";
import { targetKind } from "./lib/settings.ts";

const { name, root } = usePlugin();
const target = useTarget();

test("a volume driver", async () => {
  const session = new Session(target());
  await session.prepare(`ln -s ${root} plugin`);
  // Which calls are made is the engine's own affair, but for these.
  const calls = "grep -hE 'Create|Mount|Unmount|Remove' plugin/calls; rm -f plugin/calls";
  await session.play(`
    docker volume create -d ${name} -o a=b --label l=1 p1
    ${calls}
    docker volume inspect p1 | sed 's#/tmp/[^"]*/volumes#VOLUMES#'
    docker volume ls
    docker volume ls -f driver=${name} -q
    docker volume create -d ${name} p1
    docker volume create p1
    docker volume create -d local p1
    docker volume create -d ${name} -o fail=boom p2
    rm plugin/calls

    # Mounted for each user
    docker run --rm -v p1:/p busybox sh -c 'echo hi >/p/f'
    ${calls}
    docker run -d --name h1 -v p1:/p busybox sleep 100 | wc -c
    docker inspect -f '{{json .Mounts}}' h1
    docker volume rm p1 2>&1 | sed 's/[0-9a-f]\\{64\\}/ID/'
    docker run --rm -v p1:/p busybox cat /p/f
    docker exec h1 cat /p/f
    docker rm -f h1
    ${calls}

    # Made for a container
    docker run --rm -v auto:/p --volume-driver ${name} busybox true
    docker run --rm -v /p --volume-driver ${name} busybox true
    docker run --rm --mount type=volume,dst=/p,src=mm,volume-driver=${name},volume-opt=x=y busybox true
    docker run --rm --mount type=volume,dst=/etc,src=copied,volume-driver=${name} busybox ls /etc/passwd
    ls plugin/volumes/copied | grep passwd
    grep -h 'Create' plugin/calls | sed 's/[0-9a-f]\\{64\\}/NAME/'; rm plugin/calls
    docker create --name c1 -v p1:/p busybox true | wc -c
    docker cp c1:/p/f - | tar -xO
    docker rm -v c1

    # What the plugin refuses
    touch plugin/refuse-mount; docker run --rm -v p1:/p busybox true; rm plugin/refuse-mount
    touch plugin/refuse-remove; docker volume rm p1; docker volume rm -f p1; rm plugin/refuse-remove
    docker volume ls -q -f name=p1

    # What it has without being asked
    mkdir plugin/volumes/foreign; docker volume ls -q -f name=foreign
    docker volume inspect -f '{{.Driver}} {{.Labels}} {{.CreatedAt}} {{.Scope}}' foreign
    docker run --rm -v foreign:/p busybox touch /p/here; ls plugin/volumes/foreign
    docker volume rm foreign; ls plugin/volumes
    docker volume prune -af
    docker info -f '{{.Plugins.Volume}}'
    docker plugin ls
    docker plugin inspect ${name}
    docker volume rm p1 auto mm copied
    docker volume ls -q
    docker volume create -d nothere x1
  `);
  await session.matches("volumes/plugins");
});

test.if(targetKind === "gantry")("what is mounted stays so over kill -9, and goes with its last user", async () => {
  const docker = (...args: string[]) => target().must(...args);
  await docker("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "shared");
  await docker("volume", "create", "-d", name, "foreign");
  const both = ["-v", "shared:/s", "-v", "foreign:/f"];
  await docker(
    "run",
    "-d",
    "--name",
    "lives",
    ...both,
    "busybox",
    "sh",
    "-c",
    "echo here >/s/x; echo here >/f/x; sleep 1000",
  );
  await docker("run", "-d", "--name", "ends", "-v", "shared:/s", "busybox", "sleep", "1000");
  await target().stopDaemon("SIGKILL");
  await target().startDaemon();
  expect(await docker("run", "--rm", ...both, "busybox", "cat", "/s/x", "/f/x")).toBe("here\nhere");
  const mounted = () => readFileSync("/proc/mounts", "utf8").includes(`${target().dataRoot}/volumes/shared`);
  await docker("rm", "-f", "ends");
  expect(mounted()).toBe(true);
  await docker("rm", "-f", "lives");
  expect(mounted()).toBe(false);
  const calls = readFileSync(`${root}/calls`, "utf8").split("\n");
  const count = (call: string) => calls.filter((line) => line.startsWith(`${call} {"Name":"foreign"`)).length;
  expect(count("VolumeDriver.Unmount")).toBe(count("VolumeDriver.Mount"));
  await docker("volume", "rm", "shared", "foreign");
});
