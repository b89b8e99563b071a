/** `docker cp` and `docker export`. */
import { test } from "bun:test";
import { useTarget } from "./lib/journey.ts";
import { Session } from "./lib/session.ts";

const target = useTarget();

test("both ways, running and stopped", async () => {
  const session = new Session(target());
  await session.play(`
    mkdir -p src/sub; echo file >src/f; echo deep >src/sub/g; ln -s f src/link; ln -s /etc/passwd src/abs; chmod 640 src/f; chown 1000:1000 src/sub/g
    docker create --name c -v cpvol:/vol busybox sleep 1000
    docker cp src c:/new
    docker cp src c:/tmp
    docker cp src/. c:/dots
    docker cp src/f c:/tmp/renamed
    docker cp src/f c:/nothere/x
    docker cp src/f c:/nothere/
    docker cp src/f c:/tmp/
    docker cp nothere c:/tmp
    docker cp src c:/tmp/renamed
    docker cp src/link c:/tmp/l1
    docker cp -L src/link c:/tmp/l2
    docker cp src/f c:/vol/infile
    docker cp src/f c:relative
    docker cp src/f nothere:/tmp
    docker cp c:/nothere .
    docker cp c:/new/f out1; cat out1; stat -c %a out1
    docker cp c:/new out2; ls -R out2 | sort
    docker cp c:/new/. out3; ls out3
    docker cp c:/new/link out4; readlink out4
    docker cp -L c:/new/link out5; cat out5
    docker cp c:/new/abs out6; readlink out6
    docker cp -L c:/new/abs out7; head -1 out7
    docker cp c:/vol/infile - | tar -tv | sed 's/ [0-9-]* [0-9:]* / /'
    docker cp c:/etc/hostname hostname; wc -c hostname
    tar -C src -c f sub | docker cp - c:/tmp/fromtar; tar -C src -c f sub | docker cp - c:/tmp
    echo nonsense | docker cp - c:/tmp
    tar -C src -c f | docker cp - c:/tmp/renamed
    docker cp a b
    docker cp c:/a c:/b
    docker start c
    docker exec c sh -c 'cd /; stat -c "%n %u:%g %a %F" new new/* new/sub/* dots/f tmp/renamed tmp/l1 tmp/l2 tmp/f tmp/src/f vol/infile relative'
    docker cp src/sub/g c:/tmp/own; docker exec c stat -c %u:%g /tmp/own
    docker cp -a src/sub/g c:/tmp/own2; docker exec c stat -c %u:%g /tmp/own2
    docker exec c sh -c 'mkdir /r; chown 1000:50 /r; echo run >/r/f; chmod 4711 /r/f; mount 2>/dev/null | grep -c nothing; cd /r && ln f hard'
    docker cp c:/r/f r1; stat -c %a r1; stat -c %u r1 | grep -cx 0
    docker cp -a c:/r/f r2; stat -c %u r2
    docker cp src/f c:/vol/running; docker exec c cat /vol/running
    docker cp src/f c:/dev/shm/x; docker exec c ls /dev/shm
    docker exec c sh -c 'ln -s /etc /tmp/toetc; ln -s ../../../../../../tmp/outside /tmp/escape'
    docker cp src/f c:/tmp/toetc/through; docker exec c cat /etc/through
    docker cp src/f c:/tmp/escape; ls /tmp/outside; docker exec c ls /tmp/outside
    docker cp c:/proc/version - | tar -t
    docker cp -q src/f c:/tmp/quiet
    docker diff c | sort
    docker rm -fv c
    docker volume rm cpvol
    docker create --name ro --read-only -v rovol:/vol:ro busybox true
    docker cp src/f ro:/tmp/x
    docker cp src/f ro:/vol/x
    docker rm -v ro
    docker volume rm rovol
  `);
  await session.matches("cp/cp");
});

test("export", async () => {
  const session = new Session(target());
  await session.play(`
    docker create --name x busybox true
    docker export x | tar -t | grep -v 'bin/' | sort
    docker export -o x.tar x; tar -tf x.tar | grep -c .
    docker export nothere | wc -c
    docker export x -o /nothere/x.tar
    docker start -a x
    docker export x | tar -xO etc/passwd | head -1
    docker rm x
  `);
  await session.matches("cp/export");
});
