/** Images from Dockerfiles by BuildKit's API, as the docker CLI with buildx, bake and compose speak it. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { hasBuildx, isPresent, linkPlugins, onGantryWithBuildx } from "./lib/buildx.ts";
import { useTarget } from "./lib/journey.ts";
import { type Outcome, run, until } from "./lib/run.ts";
import { Session } from "./lib/session.ts";
import { composePlugin, dockerCli } from "./lib/settings.ts";

const withBuildx = test.if(hasBuildx);
/** What dockerd does with the containerd image store alone. */
const onGantry = test.if(onGantryWithBuildx);
const onGantryWithCompose = test.if(onGantryWithBuildx && isPresent(composePlugin));

const target = useTarget();

/**
 * `df NAME LINE…` writes a Dockerfile. `bx ARG…` is `docker build` with progress as text: without times, ids and counts, and in
 * alphabetical order, for independent steps run in any order.
 */
const helpers = `
cat > ../bin/df <<'SCRIPT'
#!/bin/bash
name=$1; shift; mkdir -p "$name"; printf '%s\\n' "$@" > "$name/Dockerfile"
SCRIPT
cat > ../bin/bx <<'SCRIPT'
#!/bin/bash
docker build --progress=plain "$@" > bx.out 2>&1; code=$?
sed -E 's/\\x1b\\[[0-9;]*m//g; s/sha256:[0-9a-f]{64}/DIGEST/g; s/[0-9a-f-]{36}::[a-z0-9]{25}/REF/g; s/^(#[0-9]+ )[0-9]+\\.[0-9]+ /\\1 T /; s/DONE [0-9.]+s/DONE/
  s/ [0-9.]+s done/ done/; s/(transferring [a-z]+): [0-9.]+[kMG]?B( done)?/\\1/; s/^[0-9]+\\.[0-9]+ /T /; s/(copying files) .*/\\1/
  s/ [0-9.]+s$//; /^#[0-9]+ \\.\\.\\.$/d; /transferring .*:$/d; s/^#[0-9]+ /# /' bx.out |
  grep -vE '^# (CACHED|DONE)$|exporting layers|^# DIGEST|^# (writing image DIGEST|naming to [^ ]+)$|inline document|^$' | LC_ALL=C sort -u
exit $code
SCRIPT
chmod +x ../bin/df ../bin/bx`;

async function begin(): Promise<Session> {
  linkPlugins(target());
  const session = new Session(target());
  await session.prepare(helpers);
  return session;
}

function docker(args: string[], directory = ""): Promise<Outcome> {
  return run([dockerCli, ...args], { env: target().cliEnvironment, cwd: join(target().root, "work", directory) });
}

async function write(files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) await Bun.write(join(target().root, "work", path), text);
}

withBuildx("steps, config and history", async () => {
  const session = await begin();
  await session.play(`
    df all 'FROM busybox AS base' 'ARG WHO=world' 'ARG NONE' 'ENV A=1 B="two words"' 'LABEL x=y' 'MAINTAINER me <me@x>' 'WORKDIR /srv' 'RUN pwd && echo $WHO $A $B' 'USER 33:33' 'RUN id -u' 'USER root' 'VOLUME /data ["/x"]' 'EXPOSE 80 53/udp' 'STOPSIGNAL SIGUSR1' 'HEALTHCHECK --interval=5s CMD test -f /x' 'SHELL ["/bin/sh", "-ec"]' 'RUN <<E' 'echo heredoc > /h' 'E' 'COPY --chmod=640 --chown=1:2 Dockerfile /c/' 'COPY <<E /inline' 'hi' 'E' 'ENTRYPOINT ["cat"]' 'CMD ["/h"]' 'ONBUILD RUN echo triggered'
    bx -t all --build-arg WHO=you --label given=1 all
    docker run --rm all
    docker run --rm --entrypoint sh all -c 'ls -ln /c /inline; cat /inline' | sed 's/ [A-Z][a-z][a-z] .* / /'
    docker inspect -f '{{json .Config}}' all
    docker inspect -f '{{.Author}} {{.Os}} {{.Architecture}} {{.Comment}} {{.Parent}} {{len .RootFS.Layers}}' all
    docker history --no-trunc --format '{{.CreatedBy}}|{{.Comment}}' all
    docker images -a --format '{{.Repository}}:{{.Tag}}' | sort
    df child 'FROM all' 'RUN echo child'
    bx child
    docker build -q all | cut -c1-7
    docker tag all kept
    bx -t all --build-arg WHO=you --label given=1 all | grep -c 'naming to docker.io/library/all'
    test $(docker inspect -f '{{.Id}}' all) = $(docker inspect -f '{{.Id}}' kept)
  `);
  await session.matches("buildkit/steps");
});

withBuildx("stages, named contexts, mounts and secrets", async () => {
  const session = await begin();
  await session.play(`
    mkdir -p named && echo from-named > named/file && echo hush > secret
    df two 'FROM busybox AS one' 'RUN echo 1 > /one' 'FROM busybox AS unused' 'RUN exit 9' 'FROM scratch' 'COPY --from=one /one /copied'
    bx -t two two
    bx --target one two
    df ctx 'FROM base' 'COPY --from=named file /nf' 'RUN --mount=from=named,target=/m cat /m/file /nf'
    bx -t ctx --build-context base=docker-image://busybox --build-context named=named ctx | grep -v 'transferring\\|load from client'
    df mounts 'FROM busybox' 'RUN --mount=type=secret,id=s --mount=type=secret,id=e,env=TOKEN cat /run/secrets/s; ls -l /run/secrets | grep -c -- "-r--------"; echo $TOKEN; hostname' 'RUN --mount=type=cache,target=/cache echo x >> /cache/n; wc -l < /cache/n' 'RUN --mount=type=tmpfs,target=/t mount | grep -c " /t "' 'RUN ls -d /run /cache /t'
    bx --secret id=s,src=secret --secret id=e,src=secret mounts
    df required 'FROM busybox' 'RUN --mount=type=secret,id=none,required true'
    bx required
    df net 'FROM busybox' 'RUN ip -o link | wc -l; ulimit -n; grep foo /etc/hosts'
    bx --network=none --add-host foo:1.2.3.4 --ulimit nofile=100:200 net
  `);
  await session.matches("buildkit/stages");
});

withBuildx("errors and warnings point at the line", async () => {
  const session = await begin();
  await session.play(`
    df bad 'FROM busybox' 'RUN echo before' 'RUN echo out; exit 3' 'RUN true'
    bx bad
    df bad 'FROM busybox' 'COPY nothere /x'
    bx bad
    df bad 'FROM busybox' 'BLAH x'
    bx bad
    df bad 'FROM busybox AS one' 'FROM scratch AS two' 'COPY --from=one /bin/sh /'
    bx --target zz bad
    bx -f nofile bad
    docker build --call=targets,format=json bad 2>/dev/null | grep '"name"'
    df warn 'from busybox' 'RUN true' 'CMD echo x'
    bx warn
    docker build --check warn 2>/dev/null
  `);
  await session.matches("buildkit/errors");
});

withBuildx("stages that name themselves or later ones; volumes are files like others while a build runs", async () => {
  const session = await begin();
  await session.play(`
    df ref 'FROM busybox' 'COPY --from=0 /bin/sh /x'
    bx ref
    df ref 'FROM busybox AS one' 'COPY --from=1 /bin/sh /x' 'FROM one'
    bx ref
    df ref 'FROM busybox AS one' 'COPY --from=two /bin/sh /x' 'FROM busybox AS two' 'RUN true'
    bx --target one ref
    df ref 'FROM busybox AS one' 'COPY --from=7 /bin/sh /x' 'FROM busybox'
    bx ref
    df ref 'FROM busybox AS one' 'RUN --mount=from=two,target=/m true' 'FROM busybox AS two'
    bx --target one ref
    df ref 'FROM busybox AS one' 'RUN --mount=from=one,target=/m true'
    bx ref
    df ref 'FROM busybox' 'RUN []'
    bx ref
    df vol 'FROM busybox' 'RUN mkdir /d' 'VOLUME /d' 'RUN echo kept > /d/f' 'RUN cat /d/f'
    bx -t vol vol
    df vol 'FROM vol' 'RUN echo more >> /d/f'
    bx -t vol2 vol
    docker run --rm vol2 cat /d/f
    df over 'FROM busybox' 'RUN echo x > /f' 'VOLUME /f' 'RUN cat /f'
    bx over
  `);
  await session.matches("buildkit/references");
});

withBuildx("outputs: directory, archive, image id, metadata; contexts by pipe", async () => {
  const session = await begin();
  await session.play(`
    df out 'FROM scratch' 'COPY <<E /dir/file' 'content' 'E' 'COPY --chmod=755 <<E /run' 'x' 'E'
    bx -o exported out
    find exported -printf '%P %y %m\\n' | sort
    bx -o type=tar,dest=out.tar out | grep -v 'sending tarball'
    tar -tvf out.tar | awk '{print $1, $2, $3, $6}'
    bx -t out --iidfile iid out
    test $(cat iid) = $(docker inspect -f '{{.Id}}' out)
    docker build -q --metadata-file md -t out out > id; test $(cat id) = $(cat iid); grep -c image.name md
    tar -C out -c . | bx -t piped - | grep naming
    bx -t piped - < out/Dockerfile | grep naming
    mkdir -p named; bx -t file -f - named < out/Dockerfile | grep naming
  `);
  await session.matches("buildkit/outputs");
});

onGantry("archives of images: OCI and Docker, which load takes", async () => {
  await begin();
  await write({ "oci/Dockerfile": 'FROM busybox\nRUN echo oci > /f\nCMD ["cat", "/f"]\n' });
  const build = (type: string) =>
    docker(["build", "-q", "-t", `${type}:1`, "-o", `type=${type},dest=${type}.tar`, "oci"]);
  expect((await build("oci")).code).toBe(0);
  expect((await build("docker")).code).toBe(0);
  // Only the archive has the names.
  expect((await docker(["images", "-q", "oci"])).stdout + (await docker(["images", "-q", "docker"])).stdout).toBe("");
  const listed = await run(["tar", "-tf", join(target().root, "work/oci.tar")]);
  expect(listed.stdout.split("\n")).toContain("index.json");
  expect((await docker(["load", "-i", "docker.tar"])).stdout).toContain("Loaded image: docker:1");
  expect((await docker(["run", "--rm", "docker:1"])).stdout).toBe("oci\n");
});

onGantry("SOURCE_DATE_EPOCH: the same files give the same image, whenever they are built", async () => {
  await begin();
  await write({
    "dated/Dockerfile":
      "FROM busybox\nRUN rm /bin/wget && mkdir /d && echo x > /d/f && ln /d/f /d/g\nCOPY Dockerfile /c/\nENV A=1\n",
  });
  const build = async (...flags: string[]) => {
    const args = ["build", "-q", "--no-cache", "--build-arg", "SOURCE_DATE_EPOCH=1000000000", ...flags, "dated"];
    const { code, stdout, stderr } = await docker(args);
    if (code !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  const image = ["-o", "type=image,name=dated,rewrite-timestamp=true"];
  const first = await build(...image);
  await Bun.sleep(1100);
  expect(await build(...image)).toBe(first);
  const inspected = await docker(["inspect", "-f", "{{.Created}} {{len .RootFS.Layers}}", "dated"]);
  expect(inspected.stdout).toBe("2001-09-09T01:46:40Z 3\n");
  const seen = "stat -c '%n %Y %h' /d /d/f /d/g /c/Dockerfile; test -e /bin/wget || echo gone; stat -c %Y /bin/busybox";
  const [busybox, ...lines] = (await docker(["run", "--rm", "dated", "sh", "-c", seen])).stdout
    .trim()
    .split("\n")
    .reverse();
  expect(lines.reverse()).toEqual([
    "/d 1000000000 2",
    "/d/f 1000000000 2",
    "/d/g 1000000000 2",
    "/c/Dockerfile 1000000000 1",
    "gone",
  ]);
  // The layers of the base stay what they are.
  expect(busybox).toBe((await docker(["run", "--rm", "busybox", "stat", "-c", "%Y", "/bin/busybox"])).stdout.trim());

  // In other outputs, everything has that time.
  await build("-o", "type=tar,dest=dated.tar");
  await build("-o", "dated.d");
  const work = join(target().root, "work");
  const listed = await run(["tar", "--utc", "--full-time", "-tvf", join(work, "dated.tar")]);
  expect(
    new Set(
      listed.stdout
        .trim()
        .split("\n")
        .map((line) => line.split(/ +/)[3]),
    ),
  ).toEqual(new Set(["2001-09-09"]));
  const found = await run(["find", join(work, "dated.d/d"), join(work, "dated.d/bin"), "-newermt", "@1000000001"]);
  expect(found.stdout).toBe("");
  expect((await docker(["build", "--build-arg", "SOURCE_DATE_EPOCH=soon", "dated"])).stderr).toContain(
    "invalid SOURCE_DATE_EPOCH",
  );
});

withBuildx("only what has changed of a context is sent again", async () => {
  await begin();
  await write({ "big/Dockerfile": "FROM scratch\nCOPY . /\n", "big/gone": "x", "big/d/old": "x" });
  await run([
    "dd",
    "if=/dev/urandom",
    `of=${join(target().root, "work/big/blob")}`,
    "bs=1M",
    "count=20",
    "status=none",
  ]);
  const build = (tag: string) => docker(["build", "--progress=rawjson", "-t", tag, "big"]);
  const first = await build("big");
  expect(transferred(first)).toBeGreaterThan(20 << 20);
  await write({ "big/d/file": "new\n" });
  await run(["rm", join(target().root, "work/big/gone")]);
  const second = await build("big2");
  expect(second.code).toBe(0);
  expect(transferred(second)).toBeLessThan(1 << 20);
  const files = await docker(["run", "--rm", "-v", "/bin/busybox:/busybox", "big2", "/busybox", "ls", "/", "/d"]);
  expect(files.stdout).toContain("file");
  expect(files.stdout).not.toContain("gone");
});

/** Bytes of the context, by the progress that the daemon tells. */
function transferred({ stdout, stderr }: Outcome): number {
  const counts = (stdout + stderr).matchAll(/"id":"transferring context:"[^}]*?"current":(\d+)/g);
  return Math.max(0, ...[...counts].map(([, count]) => Number(count)));
}

// dockerd's own image store makes the layer anew, and writes through links.
onGantry("COPY --link: a layer that does not know what it lies on", async () => {
  await begin();
  const lines = ["ARG N", "RUN ln -s /tmp /l && echo $N > /n"];
  const copies = ["COPY --link --chown=5:6 file /l/file", "COPY --link --from=busybox /bin/true /bin/sh /b/"];
  await write({ "link/Dockerfile": ["FROM busybox", ...lines, ...copies].join("\n"), "link/file": "x" });
  const layers = async (n: string) => {
    const { code, stderr } = await docker(["build", "-q", "-t", "link", "--build-arg", `N=${n}`, "link"]);
    if (code !== 0) throw new Error(stderr);
    return (await docker(["inspect", "-f", "{{json .RootFS.Layers}}", "link"])).stdout;
  };
  const [first, second] = [JSON.parse(await layers("1")), JSON.parse(await layers("2"))] as string[][];
  expect(first?.[1]).not.toBe(second?.[1]);
  // The same layers serve again.
  expect(first?.slice(2)).toEqual(second?.slice(2) as string[]);
  const seen = await docker([
    "run",
    "--rm",
    "link",
    "sh",
    "-c",
    "test -L /l || stat -c '%u:%g %a' /l/file; ls /b /tmp",
  ]);
  expect(seen.stdout).toBe("5:6 644\n/b:\nsh\ntrue\n\n/tmp:\n");
});

withBuildx("cache mounts and kept contexts are listed with their sizes, and pruned", async () => {
  await begin();
  const step =
    "if [ -e /c/f ]; then echo again; else echo first; fi; dd if=/dev/zero of=/c/f bs=1M count=3; echo $N > /n";
  await write({
    "kept/Dockerfile": `FROM busybox\nCOPY blob /\nARG N\nRUN --mount=type=cache,target=/c ${step}\n`,
    "kept/blob": "x".repeat(2_000_000),
  });
  let count = 0;
  const build = async (...flags: string[]) => {
    const args = ["build", "--progress=plain", "--build-arg", `N=${count++}`, ...flags, "kept"];
    return /^#\d+ [\d.]+ (first|again)$/m.exec((await docker(args)).stderr)?.[1];
  };
  expect(await build()).toBe("first");
  expect(await build()).toBe("again");
  // Without the cache there is nothing in its mounts, either.
  expect(await build("--no-cache")).toBe("first");
  expect(await build()).toBe("again");
  const sizes = async (type: string) => {
    const { stdout } = await docker(["buildx", "du", "--verbose", "--filter", `type=${type}`]);
    return [...stdout.matchAll(/^Size:\s+([\d.]+)(\w+)$/gm)].map(
      ([, number, unit]) => `${Math.floor(Number(number))}${unit}`,
    );
  };
  await until("the mount's size", async () => (await sizes("exec.cachemount")).includes("3MB"));
  expect(await sizes("source.local")).toContain("2MB");
  const pruned = await docker(["builder", "prune", "-f", "--filter", "type=exec.cachemount"]);
  expect(pruned.stdout).toMatch(/Total:\s+3\.\d+MB/);
  expect(await sizes("exec.cachemount")).toEqual([]);
  expect(await sizes("source.local")).toContain("2MB");
  expect(await build()).toBe("first");
});

withBuildx("a client that goes ends its build", async () => {
  await begin();
  const env = target().cliEnvironment;
  const client = Bun.spawn([dockerCli, "build", "--progress=plain", "-"], {
    env,
    stdin: Buffer.from("FROM busybox\nRUN echo started && sleep 1000\n"),
    stderr: "pipe",
    stdout: "ignore",
  });
  let said = "";
  for await (const chunk of client.stderr) {
    said += Buffer.from(chunk).toString();
    if (/\d started/.test(said)) break;
  }
  client.kill("SIGKILL");
  await client.exited;
  await until("the step's container to go", async () =>
    (await docker(["ps", "-aq"])).stdout === "" ? true : undefined,
  );
});

// dockerd 28.5 ends with a panic when a record is removed.
onGantry("the history of builds: listed, with logs and errors, and removed", async () => {
  await begin();
  await write({
    "hist/Dockerfile": "FROM busybox\nARG A\nRUN echo said $A\n",
    "hist/bad.Dockerfile": "FROM busybox\nRUN exit 3\n",
  });
  expect((await docker(["buildx", "history", "rm", "--all"])).code).toBe(0);
  const ended = async (...args: string[]) => (await docker(["build", "-q", ...args, "hist"])).code;
  expect(await ended("--build-arg", "A=all")).toBe(0);
  expect(await ended("-f", "hist/bad.Dockerfile")).toBe(1);
  const list = async (...flags: string[]) =>
    (await docker(["buildx", "history", "ls", "--format", "{{.Ref}} {{.Status}}", ...flags])).stdout.trim().split("\n");
  const [bad = "", good = ""] = await list();
  expect([bad.split(" ")[1], good.split(" ")[1]]).toEqual(["Error", "Completed"]);
  expect(await list("--filter", "status=error")).toEqual([bad]);
  const ref = good.split(" ")[0] as string;
  const logs = await docker(["buildx", "history", "logs", ref]);
  expect(logs.stdout + logs.stderr).toMatch(/^#\d+ [\d.]+ said all$/m);
  const inspected = await docker(["buildx", "history", "inspect", ref, "--format", "json"]);
  expect(JSON.parse(inspected.stdout)).toMatchObject({ Status: "completed", BuildArgs: [{ Name: "A", Value: "all" }] });
  const failure = await docker(["buildx", "history", "inspect", bad.split(" ")[0] as string]);
  expect(failure.stdout).toContain(">>> RUN exit 3");
  // As buildx writes it beside the image's digest.
  expect((await docker(["build", "-q", "--metadata-file", "hist.json", "--build-arg", "A=x", "hist"])).code).toBe(0);
  const metadata = JSON.parse(await Bun.file(join(target().root, "work/hist.json")).text());
  expect(metadata["buildx.build.provenance"]).toMatchObject({
    buildType: "https://mobyproject.org/buildkit@v1",
    materials: [{ uri: "pkg:docker/busybox@latest?platform=linux%2Famd64" }],
    invocation: { parameters: { args: { "build-arg:A": "x" }, locals: [{ name: "context" }, { name: "dockerfile" }] } },
  });
  expect((await docker(["buildx", "history", "rm", ref])).code).toBe(0);
  expect(await list()).not.toContain(good);
  expect((await docker(["buildx", "history", "rm", "nosuch"])).stderr).toContain("no build nosuch is in the history");
});

onGantry("bake: targets that stand on each other, in one session", async () => {
  await begin();
  const targets = {
    base: { dockerfile: "base.Dockerfile" },
    app: { dockerfile: "app.Dockerfile", contexts: { base: "target:base" }, tags: ["bake/app"] },
    tool: { "dockerfile-inline": "FROM busybox\nRUN true", tags: ["bake/tool"] },
  };
  await write({
    "bake/base.Dockerfile": "FROM busybox\nENV B=1\nRUN echo base > /b\n",
    "bake/app.Dockerfile": 'FROM base\nRUN cat /b; echo $B > /a\nCMD ["cat", "/b", "/a"]\n',
    "bake/docker-bake.json": JSON.stringify({ group: { default: { targets: ["app", "tool"] } }, target: targets }),
  });
  expect((await docker(["buildx", "bake", "--progress=plain"], "bake")).code).toBe(0);
  expect((await docker(["run", "--rm", "bake/app"])).stdout).toBe("base\n1\n");
  const names = (await docker(["images", "--format", "{{.Repository}}", "bake/*"])).stdout;
  expect(names.trim().split("\n").sort()).toEqual(["bake/app", "bake/tool"]);
});

onGantryWithCompose("docker compose build, and the cache that buildx lists and prunes", async () => {
  await begin();
  await write({
    "comp/Dockerfile": 'FROM busybox\nRUN echo built > /f\nCMD ["cat", "/f"]\n',
    "comp/compose.yaml": "services:\n  one: {build: ., image: comp/one}\n  two: {build: ., image: comp/two}\n",
  });
  expect((await docker(["compose", "build"], "comp")).code).toBe(0);
  expect((await docker(["run", "--rm", "comp/two"])).stdout).toBe("built\n");
  expect((await docker(["buildx", "du"])).stdout).toMatch(/Total:\s+[1-9]/);
  await docker(["builder", "prune", "-af"]);
  expect((await docker(["buildx", "du"])).stdout).toMatch(/Total:\s+0B/);
  expect((await docker(["run", "--rm", "comp/one"])).stdout).toBe("built\n");
});
