/** `docker cp` and `docker export`. */
import { test } from "bun:test";
import { useTarget } from "./lib/journey.ts";
import { Session } from "./lib/session.ts";

const target = useTarget();

test("both ways, running and stopped", async () => {
  const session = new Session(target());
  await session.play(`
    mkdir -p src/sub; echo file >src/f; echo deep >src/sub/g; ln -s f src/link; ln -s /etc/passwd src/abs; chmod 640 src/f; chown 1000:1000 src/sub/g
    docker create --name cc -v cpvol:/vol busybox sleep 1000
    docker cp src cc:/new
    docker cp src cc:/tmp
    docker cp src/. cc:/dots
    docker cp src/f cc:/tmp/renamed
    docker cp src/f cc:/nothere/x
    docker cp src/f cc:/nothere/
    docker cp src/f cc:/tmp/
    docker cp nothere cc:/tmp
    docker cp src cc:/tmp/renamed
    docker cp src/link cc:/tmp/l1
    docker cp -L src/link cc:/tmp/l2
    docker cp src/f cc:/vol/infile
    docker cp src/f cc:relative
    docker cp src/f nothere:/tmp
    docker cp cc:/nothere .
    docker cp cc:/new/f out1; cat out1; stat -c %a out1
    docker cp cc:/new out2; ls -R out2 | sort
    docker cp cc:/new/. out3; ls out3
    docker cp cc:/new/link out4; readlink out4
    docker cp -L cc:/new/link out5; cat out5
    docker cp cc:/new/abs out6; readlink out6
    docker cp -L cc:/new/abs out7; head -1 out7
    docker cp cc:/vol/infile - | tar -tv | awk '{print $1, $2, $3, $6}'
    docker cp cc:/etc/hostname hostname; wc -c hostname
    tar -C src -c f sub | docker cp - cc:/tmp/fromtar; tar -C src -c f sub | docker cp - cc:/tmp
    echo nonsense | docker cp - cc:/tmp
    tar -C src -c f | docker cp - cc:/tmp/renamed
    docker cp a b
    docker cp cc:/a cc:/b
    docker start cc
    docker exec cc sh -c 'cd /; stat -c "%n %u:%g %a %F" new new/* new/sub/* dots/f tmp/renamed tmp/l1 tmp/l2 tmp/f tmp/src/f vol/infile relative'
    docker cp src/sub/g cc:/tmp/own; docker exec cc stat -c %u:%g /tmp/own
    docker cp -a src/sub/g cc:/tmp/own2; docker exec cc stat -c %u:%g /tmp/own2
    docker exec cc sh -c 'mkdir /r; chown 1000:50 /r; echo run >/r/f; chmod 4711 /r/f; mount 2>/dev/null | grep -c nothing; cd /r && ln f hard'
    docker cp cc:/r/f r1; stat -c %a r1; stat -c %u r1 | grep -cx 0
    docker cp -a cc:/r/f r2; stat -c %u r2
    docker cp src/f cc:/vol/running; docker exec cc cat /vol/running
    docker cp src/f cc:/dev/shm/x; docker exec cc ls /dev/shm
    docker exec cc sh -c 'ln -s /etc /tmp/toetc; ln -s ../../../../../../tmp/outside /tmp/escape'
    docker cp src/f cc:/tmp/toetc/through; docker exec cc cat /etc/through
    docker cp src/f cc:/tmp/escape; ls /tmp/outside; docker exec cc ls /tmp/outside
    docker cp cc:/proc/version - | tar -t
    docker cp -q src/f cc:/tmp/quiet
    docker diff cc | sort
    docker rm -fv cc
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
    docker create --name xx busybox true
    docker export xx | tar -t | grep -v 'bin/' | sort
    docker export -o x.tar x; tar -tf x.tar | grep -c .
    docker export nothere | wc -c
    docker export xx -o /nothere/x.tar
    docker start -a x
    docker export xx | tar -xO etc/passwd | head -1
    docker rm xx
  `);
  await session.matches("cp/export");
});
