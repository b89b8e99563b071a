/** Images: import, load, save, commit, tag, rmi, history, inspect, prune; exchanged with skopeo. */
import { expect, test } from "bun:test";
import { busyboxArchive } from "./lib/images.ts";
import { useTarget } from "./lib/journey.ts";
import { must } from "./lib/run.ts";
import { Session } from "./lib/session.ts";
import { describeShape } from "./lib/shape.ts";

const target = useTarget();

/** The tests before have removed it. */
async function importBusybox(): Promise<void> {
  await target().must("import", "-c", 'CMD ["sh"]', await busyboxArchive(), "busybox:latest");
}

test("import, tag, list, remove", async () => {
  const session = new Session(target());
  await session.play(`
    mkdir root; echo hi >root/hi; tar -C root -cf root.tar .; gzip -k root.tar; xz -k root.tar; zstd -q -k root.tar
    for f in root.tar root.tar.gz root.tar.xz root.tar.zst; do docker import $f; done
    cat root.tar | docker import -m 'a message' -c 'ENV A=b C="d e"' -c 'CMD ["x","y"]' -c 'LABEL l=m' -c 'EXPOSE 80/tcp' -c 'WORKDIR /w' -c 'USER ann' -c 'VOLUME /v' -c 'ENTRYPOINT ["e"]' -c 'STOPSIGNAL INT' -c 'ONBUILD RUN x' - made:1
    docker inspect -f '{{json .Config.Env}} {{json .Config.Cmd}} {{json .Config.Labels}} {{json .Config.ExposedPorts}} {{.Config.WorkingDir}} {{.Config.User}} {{json .Config.Volumes}} {{json .Config.Entrypoint}} {{.Config.StopSignal}} {{json .Config.OnBuild}} {{.Comment}}' made:1
    docker history made:1 --format '{{.CreatedBy}}|{{.Size}}|{{.Comment}}'
    docker import -c 'FROM x' root.tar
    docker import -c 'RUN x' root.tar
    docker import -c 'nonsense' root.tar
    docker import root.tar Bad:name
    docker import root.tar bad@name
    docker import nothere.tar x:1
    echo nonsense | docker import - x:1
    docker import http://127.0.0.1:1/x.tar
    docker images made | sed 's/   */  /g'
    docker images --format '{{.Repository}}:{{.Tag}} {{.Size}}' | sed 's/[0-9.]*MB/N/' | sort
    docker images -q made | wc -c
    docker images -q --no-trunc made | wc -c
    docker images --filter dangling=true --format '{{.Repository}} {{.Tag}}'
    docker images --filter label=l=m --format '{{.Repository}}'
    docker images --filter reference='ma*:*' --format '{{.Repository}}'
    docker images --filter before=made:1 --format '{{.Repository}}' | sort
    docker images --filter since=made:1 --format '{{.Repository}}'
    docker images --filter nothing=1
    docker images nothere
    docker images --digests made --format '{{.Digest}}'
    docker tag made:1 made:2
    docker tag made:1 registry.example.org:5000/team/made
    docker tag nothere:1 x
    docker tag made:1 'bad name'
    docker tag made:1 UPPER
    docker tag made:1 @sha256:x
    docker tag $(docker images -q made:1 | head -1) byid:3
    docker images --format '{{.Repository}}:{{.Tag}}' | grep -v none | sort
    docker rmi made:2
    docker rmi nothere
    docker rmi byid:3 nothere:2 registry.example.org:5000/team/made
    docker create --name user made:1
    docker rmi made:1
    docker rmi $(docker images -q made:1)
    docker rmi -f $(docker images -q made:1)
    docker images made | sed 's/   */  /g'
    docker ps -a --format '{{.Image}}' | wc -c
    docker rm user
    docker image prune -f | sed 's/[0-9.]*k*B$/N/' | sort -u
    docker images --format '{{.Repository}}:{{.Tag}}'
    docker image inspect nothere
    docker image inspect busybox -f '{{.Os}} {{.Architecture}} {{.RepoTags}} {{.RepoDigests}} {{len .RootFS.Layers}}'
    docker history nothere
    docker history --no-trunc -q busybox | wc -l
    docker rmi $(docker images -q busybox | cut -c1-6)
    docker images -q
  `);
  await session.matches("images/images");
});

test("commit", async () => {
  const session = new Session(target());
  await session.play(`
    docker import -c 'CMD ["sh"]' -c 'ENV BASE=1' ${"$"}E2E_BUSYBOX base:1 | wc -c
    docker run --name c1 -e RUN=2 --label lab=el -w /tmp -u ann --expose 7 base:1 sh -c 'echo one >/tmp/one'
    docker commit -m 'the message' -a 'An Author <a@example.org>' c1 kid:1
    docker inspect -f '{{.Comment}}|{{.Author}}|{{json .Config.Cmd}}|{{json .Config.Env}}|{{json .Config.Labels}}|{{.Config.WorkingDir}}|{{.Config.User}}|{{json .Config.ExposedPorts}}|{{len .RootFS.Layers}}' kid:1
    docker history kid:1 --format '{{.CreatedBy}}|{{.Size}}|{{.Comment}}' | sed 's/[0-9.]*MB/N/'
    docker run --rm kid:1 cat /tmp/one
    docker commit -c 'CMD ["cat","/tmp/one"]' -c 'ENV NEW=3' -c 'USER root' -c 'LABEL x=y' c1 kid:2
    docker run --rm kid:2
    docker inspect -f '{{json .Config.Env}}|{{.Config.User}}|{{json .Config.Labels}}' kid:2
    docker commit c1 | wc -c
    docker commit nothere x
    docker commit c1 Bad
    docker commit -c 'RUN x' c1 y
    docker run -d --name live base:1 sh -c 'rm /etc/group; mkdir /d; echo x >/d/f; chown 5:6 /d/f; ln -s f /d/l; mkfifo /d/p; sleep 1000'
    until_true docker exec live ls /d/p
    docker commit -p=false live lively
    docker commit live lively2
    docker rm -f live
    docker run --rm lively sh -c 'ls /etc/group; stat -c "%n %F %u:%g" /d/*'
    docker inspect -f '{{.Config.Image}}' c1
    docker rmi base:1
    docker rm c1
    docker rmi base:1
    docker rmi kid:1 kid:2
    docker images --format '{{.Repository}}:{{.Tag}}' | sort
    docker rmi lively lively2
    docker image prune -f | grep -c deleted
    docker images --format '{{.Repository}}:{{.Tag}}' | sort
  `);
  await session.matches("images/commit");
});

test("save and load", async () => {
  const session = new Session(target());
  await session.play(`
    docker import -c 'CMD ["sh"]' ${"$"}E2E_BUSYBOX s:1 | wc -c
    docker run --name c1 s:1 sh -c 'echo layer >/layer'
    docker commit c1 s:2 | wc -c
    docker rm c1
    docker save s:1 s:2 -o s.tar
    tar -tf s.tar | grep -c manifest.json
    tar -xOf s.tar manifest.json | tr ',' '\\n' | grep -o 'RepoTags.*'
    docker save nothere
    docker save s:1 nothere:5
    docker save s:1 | wc -c | grep -c '000000\\|[0-9]\\{7\\}'
    id=$(docker inspect -f '{{.Id}}' s:2); docker rmi s:1 s:2 | grep -c Untagged; docker load -i s.tar; [ $id = $(docker inspect -f '{{.Id}}' s:2) ] && echo same
    docker run --rm s:2 cat /layer
    docker load -q -i s.tar
    gzip -k s.tar; docker rmi s:1 s:2 >/dev/null; docker load <s.tar.gz
    docker load -i nothere.tar
    echo nonsense | docker load
    tar -cf empty.tar root.tar; docker load -i empty.tar
    mkdir bad; echo nonsense >bad/l.tar; printf '{"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%064d"]}}' 0 >bad/c.json
    echo '[{"Config":"c.json","RepoTags":["bad:1"],"Layers":["l.tar"]}]' >bad/manifest.json; tar -C bad -cf bad.tar .; docker load -i bad.tar
    head -c 3000 s.tar >cut.tar; docker load -i cut.tar
    docker save $(docker images -q s:2) | docker load
    docker rmi s:1 s:2 | grep -c Untagged
  `);
  await session.matches("images/archive");
});

test("skopeo reads what is saved and writes what is loaded", async () => {
  const { root } = target();
  await importBusybox();
  await target().must("save", "busybox", "-o", `${root}/b.tar`);
  const env = { ...process.env, TMPDIR: root };
  const policy = "--insecure-policy";
  const config = await must(["skopeo", policy, "inspect", "--config", `docker-archive:${root}/b.tar`], { env });
  expect(JSON.parse(config)).toMatchObject({ os: "linux", config: { Cmd: ["sh"] } });
  await must(["skopeo", policy, "copy", `docker-archive:${root}/b.tar`, `docker-archive:${root}/c.tar:skopeo/made:7`], {
    env,
  });
  expect(await target().must("load", "-i", `${root}/c.tar`)).toBe("Loaded image: skopeo/made:7");
  expect(await target().must("run", "--rm", "skopeo/made:7", "echo", "runs")).toBe("runs");
  if (target().kind === "gantry") {
    await must(["skopeo", policy, "copy", `docker-archive:${root}/b.tar`, `oci-archive:${root}/o.tar:oci/made:8`], {
      env,
    });
    expect(await target().must("load", "-i", `${root}/o.tar`)).toContain("Loaded image");
  }
});

test("every field of an image's inspect", async () => {
  await importBusybox();
  const session = new Session(target());
  session.note("shape", describeShape(await target().inspect("busybox", "--type", "image")));
  await session.matches("images/fields");
});
