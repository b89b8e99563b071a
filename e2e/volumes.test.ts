/** Volumes, binds and tmpfs. */
import { expect, test } from "bun:test";
import { chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { useTarget } from "./lib/journey.ts";
import { Session } from "./lib/session.ts";
import { targetKind } from "./lib/settings.ts";

const target = useTarget();

test("volumes", async () => {
  const session = new Session(target());
  await session.play(`
    docker volume create v1
    docker volume create v1
    docker volume create --label a=b v2
    docker volume create 'bad name'
    docker volume create -d nothere v3
    docker volume create | wc -c
    docker volume ls --format '{{.Driver}} {{.Name}}' | grep -v '[0-9a-f]\\{64\\}'
    docker volume ls -q -f label=a
    docker volume ls -q -f name=v1
    docker volume ls -q -f driver=local | wc -l
    docker volume ls -q -f nothing=1
    docker volume inspect v2 | sed 's/"CreatedAt": ".*"/"CreatedAt": "T"/; s/"Mountpoint": ".*volumes/"Mountpoint": "volumes/'
    docker volume inspect nothere
    docker run --name w1 -v v1:/data busybox sh -c 'echo kept >/data/f'
    docker run --rm -v v1:/data busybox cat /data/f
    docker run --rm -v v1:/data:ro busybox sh -c 'touch /data/g'
    docker volume rm v1
    docker volume rm -f v1
    docker volume ls -q -f dangling=false
    docker rm w1
    docker volume rm v1
    docker volume rm v1
    docker volume rm -f v1
    docker run --rm -v auto:/x busybox true
    docker volume ls -q -f name=auto
    docker run --rm -v copy:/etc busybox cat /etc/group | head -1
    docker run --rm -v copy:/y busybox sh -c 'stat -c "%n %a" /y /y/passwd'
    docker run --rm -v nocopy:/etc:nocopy busybox ls /etc
    docker run --rm --mount type=volume,src=nocopy2,dst=/etc,volume-nocopy busybox ls /etc
    docker run --name anon -v /anonymous busybox sh -c 'echo x >/anonymous/f'
    docker volume ls -q -f dangling=false | wc -c
    docker run --rm --volumes-from anon busybox cat /anonymous/f
    docker run --rm --volumes-from anon:ro busybox touch /anonymous/g
    docker run --rm --volumes-from anon:zz busybox true
    docker inspect -f '{{range .Mounts}}{{.Type}} {{.Destination}} {{.RW}} {{.Driver}} {{.Mode}}|{{.Propagation}}{{end}}' anon
    docker rm -v anon
    docker volume ls -q -f dangling=false
    docker run --rm -v /gone busybox true
    docker volume prune -f | sed 's/[0-9.]*k*B$/N/; /^[0-9a-f]*$/d'
    docker volume ls -q
    docker volume prune -af | sed 's/[0-9.]*k*B$/N/' | sort
    docker volume ls -q
  `);
  await session.matches("volumes/volumes");
});

test("binds and tmpfs", async () => {
  const session = new Session(target());
  await session.play(`
    mkdir -p bind/sub; mount --bind bind bind; mount --make-private bind; echo host >bind/f
    docker run --rm -v $PWD/bind:/b busybox cat /b/f
    echo f >file; docker run --rm -v $PWD/file:/f:ro busybox sh -c 'cat /f; echo x >/f'
    docker run --rm -v $SOCKET:/s.sock:ro busybox stat -c %F /s.sock
    docker run --rm -v $PWD/bind:/b:ro busybox touch /b/g
    docker run --rm -v $PWD/bind:/b busybox sh -c 'echo container >/b/new'; cat bind/new
    docker run --rm -v $PWD/bind/f:/etc/motd busybox cat /etc/motd
    docker run --rm -v $PWD/created:/c busybox true; stat -c '%F %a' created
    docker run --rm --mount type=bind,src=$PWD/bind,dst=/b,readonly busybox touch /b/g
    docker run --rm --mount type=bind,src=$PWD/nothere,dst=/b busybox true
    docker run --rm --mount type=bind,src=relative,dst=/b busybox true
    docker run --rm --mount type=nothing,dst=/b busybox true
    docker run --rm --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700 busybox sh -c 'grep " /t " /proc/mounts | cut -d" " -f3,4; stat -c %a /t'
    docker run --rm --mount type=tmpfs,src=x,dst=/t busybox true
    docker run --rm --tmpfs /t:size=64k busybox sh -c 'head -c 100000 /dev/zero >/t/x'
    docker run --rm --tmpfs /t:nonsense busybox true
    docker run --rm --tmpfs /etc busybox ls /etc
    docker run --rm -v $PWD/bind:/b:rshared busybox sh -c 'grep " /b " /proc/self/mountinfo | grep -c shared'
    docker run --rm -v $PWD/bind:/b busybox sh -c 'grep " /b " /proc/self/mountinfo | grep -c shared'
    docker run --rm -v $PWD/bind:/b:rslave busybox sh -c 'grep " /b " /proc/self/mountinfo | grep -c master'
    docker run --rm -v /:/ busybox true
    docker run --rm -v $PWD/bind:/x -v $PWD/bind/sub:/x/inner busybox ls /x
    docker run --rm -v $PWD/bind/sub:/x/sub -v $PWD/bind:/x busybox cat /x/f
    docker run --rm -v $PWD/bind/f:/dev/null/x busybox true 2>&1 | grep -c 'docker: Error'
    docker run --name i1 -v $PWD/bind:/b:ro --mount type=bind,src=$PWD/bind,dst=/c --tmpfs /t busybox true
    docker inspect -f '{{json .HostConfig.Binds}} {{json .HostConfig.Tmpfs}}' i1
    docker inspect -f '{{range .Mounts}}{{println .Type .Destination .RW .Mode .Propagation}}{{end}}' i1 | sort
    docker rm i1
    docker run --rm -v $PWD/bind:/b --user 1234 busybox touch /b/denied
    umount bind
  `);
  await session.matches("volumes/binds");
});

test("options of the local driver", async () => {
  const session = new Session(target());
  await session.play(`
    docker volume create -o foo=bar x1
    docker volume create -o type=tmpfs x1
    docker volume create -o size=banana x1
    docker volume create -o size=1m x1

    # tmpfs: one for all its users, gone with the last
    docker volume create -o type=tmpfs -o device=tmpfs -o o=size=1m,uid=1000,mode=700 t1
    docker volume inspect -f '{{json .Options}} {{.Driver}} {{.Scope}}' t1
    docker run --rm -v t1:/t busybox sh -c 'grep " /t " /proc/mounts; stat -c "%u %a" /t; echo x >/t/f'
    docker run --rm -v t1:/t busybox ls /t
    docker run --rm -v t1:/t busybox sh -c 'head -c 2000000 /dev/zero >/t/big'
    docker run -d --name h1 -v t1:/t busybox sleep 100 | wc -c
    docker exec h1 sh -c 'echo y >/t/g'
    docker run --rm -v t1:/t busybox cat /t/g
    docker cp h1:/t/g - | tar -xO
    docker volume rm t1 2>&1 | sed 's/[0-9a-f]\\{64\\}/ID/'
    docker rm -f h1
    docker volume prune -af
    grep -c "$DATA/volumes" /proc/mounts

    # binds
    mkdir -p src/sub; echo b >src/f
    docker volume create -o type=none -o o=bind -o device=$PWD/src b1
    docker run --rm -v b1:/t busybox cat /t/f
    docker run --rm -v b1:/etc busybox cat /etc/f
    docker run --rm --mount type=volume,src=b1,dst=/t,volume-nocopy busybox sh -c 'echo new >/t/new'; cat src/new
    docker volume create -o type=none -o o=bind,ro -o device=$PWD/src b2
    docker run --rm -v b2:/t busybox touch /t/f
    docker run --rm --mount type=volume,src=b1,dst=/t,volume-subpath=f busybox cat /t
    docker run --rm --mount type=volume,src=b1,dst=/t,volume-subpath=none busybox true
    docker create --name c1 -v b1:/t busybox true | wc -c
    docker cp c1:/t/f - | tar -xO; echo copied >cp; docker cp cp c1:/t/cp; cat src/cp
    docker rm c1
    grep -c "$DATA/volumes" /proc/mounts

    # what cannot be mounted
    docker volume create -o type=none -o o=bind -o device=/nothere e1
    docker run --rm -v e1:/t busybox true
    docker volume create -o type=nonsense -o o=ro,password=secret,x=y -o device=thing e2
    docker run --rm -v e2:/t busybox true
    docker ps -aq
    docker run --rm --mount type=volume,src=m1,dst=/t,volume-opt=type=tmpfs,volume-opt=device=tmpfs busybox grep -c ' /t tmpfs' /proc/mounts
    docker run --rm --mount type=volume,dst=/t,volume-opt=type=tmpfs,volume-opt=device=tmpfs busybox grep -c ' /t tmpfs' /proc/mounts
    docker volume create -o type=tmpfs -o device=tmpfs b1
    docker volume create -d nothere b1
    docker volume ls -q
    docker volume rm b1 b2 e1 e2 m1 t1
    cat src/f
  `);
  await session.matches("volumes/options");
});

test.if(targetKind === "gantry")("idmap: the host's owner and the container's user change places", async () => {
  const { root, must } = { root: join(target().root, "owned"), must: target().must.bind(target()) };
  mkdirSync(root);
  writeFileSync(join(root, "f"), "x");
  for (const path of [root, join(root, "f")]) chownSync(path, 4321, 4321);
  const script = "stat -c '%u:%g' /m /m/f; echo y >/m/made; stat -c '%u:%g' /m/made";
  const run = (...flags: string[]) =>
    must("run", "--rm", "-v", `${root}:/m:idmap`, ...flags, "busybox", "sh", "-c", script);
  expect(await run()).toBe("0:0\n0:0\n0:0");
  expect(statSync(join(root, "made"))).toMatchObject({ uid: 4321, gid: 4321 });
  expect(await run("--user", "1000:1000")).toBe("1000:1000\n1000:1000\n1000:1000");
  expect(statSync(join(root, "made"))).toMatchObject({ uid: 4321, gid: 4321 });
  await must("run", "--rm", "-v", `${root}/f:/f:idmap,ro`, "--user", "1000", "busybox", "cat", "/f");
  const tmpfs = await target().docker("run", "--rm", "-v", "/proc:/m:idmap", "busybox", "true");
  expect(tmpfs.stderr).toContain(
    "cannot mount /proc with idmap: the kernel (5.12 or later) or the file system cannot map owners",
  );
  expect((await target().docker("run", "--rm", "-v", "named:/m:idmap", "busybox", "true")).stderr).toContain(
    "idmap is for host directories",
  );
});

test("image mounts", async () => {
  const session = new Session(target());
  // By the API: older CLIs do not know the type.
  await session.prepare(`cat >${target().root}/work/mounting.sh <<'END'
create() { api POST "/v1.51/containers/create?name=$1" "{\\"Image\\":\\"busybox\\",\\"Cmd\\":[\\"sh\\",\\"-c\\",\\"$3\\"],\\"HostConfig\\":{\\"Mounts\\":[{\\"Type\\":\\"image\\",\\"Target\\":\\"/i\\",$2}]}}"; }
END
`);
  const by = (line: string) => `. ./mounting.sh; ${line}`;
  await session.play(`
    docker import -c 'CMD ["sh"]' $E2E_BUSYBOX data 2>&1 | wc -l
    echo more >more; docker create --name made data sh | wc -c; docker cp more made:/more; docker commit made data | wc -c; docker rm made
    ${by(`create i1 '"Source":"data"' 'cat /i/more; head -1 /i/etc/passwd; touch /i/x'`)}
    docker start -a i1
    docker inspect -f '{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}} {{.Propagation}} [{{.Mode}}]{{end}}' i1
    ${by(`create i2 '"Source":"data","ImageOptions":{"Subpath":"etc"}' 'ls /i'`)}
    docker start -a i2; docker start -a i2
    ${by(`create i3 '"Source":"data","ImageOptions":{"Subpath":"more"}' 'cat /i'`)}
    docker start -a i3
    ${by(`create i4 '"Source":"data","ImageOptions":{"Subpath":"none"}' 'cat /i'`)}
    docker start i4 2>&1 | sed 's#/[^ ]*/merged#MERGED#g'
    ${by(`create i5 '"Source":"data","ImageOptions":{"Subpath":"../etc"}' true`)}
    ${by(`create i6 '"Source":"nothere"' true`)}
    ${by(`create i7 '"Source":""' true`)}
    docker run --rm --volumes-from i1 busybox ls -d /i
    docker rmi -f data | head -1
    docker start -a i1
    docker rm i1 i2 i3 i4
    docker images -aq | wc -l
    grep -c "$DATA.*merged" /proc/mounts
  `);
  await session.matches("volumes/images");
});
