/** Images from Dockerfiles, by the classic builder's API. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { useTarget } from "./lib/journey.ts";
import { must, until } from "./lib/run.ts";
import { Session } from "./lib/session.ts";
import { dockerCli, gantryCommand, targetKind } from "./lib/settings.ts";
import { Target } from "./lib/target.ts";

const target = useTarget();

/** `df NAME LINE…` writes a Dockerfile; `build NAME FLAGS…` builds it without the lines that tell containers' ids. */
const helpers = [
  `cat > ../bin/df <<'E'
name=$1; shift; mkdir -p "$name"; printf '%s\\n' "$@" > "$name/Dockerfile"
E`,
  `cat > ../bin/build <<'E'
name=$1; shift; DOCKER_BUILDKIT=0 docker build "$@" "$name" 2> err | grep -v 'Running in\\|Removed intermediate\\|^DEPRECATED\\|Install the buildx'
code=\${PIPESTATUS[0]}; grep -v 'DEPRECATED\\|Install the buildx\\|BuildKit is currently disabled\\|environment-variable.\\|buildx component\\|^ *https://docs.docker.com\\|^$' err >&2; exit $code
E`,
  "chmod +x ../bin/df ../bin/build; sed -i '1i #!/bin/bash' ../bin/df ../bin/build",
];

async function begin(): Promise<Session> {
  const session = new Session(target());
  await session.prepare(helpers.join("\n"));
  return session;
}

test("the article's Dockerfile: steps, cache, history", async () => {
  const session = await begin();
  await session.play(`
    df redis 'FROM busybox' 'RUN echo installed > /redis' 'EXPOSE 6379' 'ENTRYPOINT ["/bin/cat", "/redis"]'
    build redis -t me/redis
    docker run --rm me/redis
    docker history --format '{{.CreatedBy}}|{{.Size}}|{{.Comment}}' --no-trunc me/redis
    docker inspect -f '{{json .Config.ExposedPorts}} {{json .Config.Entrypoint}} {{json .Config.Cmd}} {{json .Config.Env}}' me/redis
    build redis -t me/redis
    build redis -q -t me/redis | cut -c1-7
    df redis 'FROM busybox' 'RUN echo installed > /redis' 'EXPOSE 6379' 'RUN false' 'CMD x'
    build redis
    df redis 'FROM busybox' 'RUN echo installed > /redis' 'EXPOSE 6379' 'RUN true' 'CMD x'
    build redis
    build redis --no-cache | grep -c cache
    docker images --format '{{.Repository}}:{{.Tag}}' | sort
    docker ps -aq --filter status=exited | wc -l
  `);
  await session.matches("build/article");
});

test("instructions and what they leave in the config", async () => {
  const session = await begin();
  await session.play(`
    df all 'FROM busybox AS base' 'ARG WHO=world' 'ARG NONE' 'ENV A=1 B="two words" C=$A-$WHO' 'ENV OLD style value' 'LABEL x=y "a b"="c d"' 'MAINTAINER me <me@x>' 'WORKDIR /srv' 'WORKDIR sub' 'RUN pwd && echo $WHO $A $B' 'USER 33:33' 'RUN id -u' 'USER root' 'VOLUME /data ["/x"]' 'VOLUME ["/v1", "/v2"]' 'EXPOSE 80 443/tcp 53/udp' 'STOPSIGNAL SIGUSR1' 'HEALTHCHECK --interval=5s --timeout=1m30s --retries=3 CMD test -f /x' 'SHELL ["/bin/sh", "-ec"]' 'RUN echo shell' 'ENTRYPOINT echo entry' 'CMD ["arg", "two"]' 'ONBUILD RUN echo triggered'
    build all -t all --build-arg WHO=you --label given=1
    docker inspect -f '{{json .Config}}' all | sed 's/"Hostname":"[^"]*",//; s/"Image":"sha256:[0-9a-f]*"/"Image":"I"/'
    docker inspect -f '{{.Author}} {{.Os}} {{.Architecture}}' all
    docker history --format '{{.CreatedBy}}' --no-trunc all
    df child 'FROM all' 'RUN echo child'
    build child
    df args 'ARG TAG=latest' 'FROM busybox:$TAG' 'ARG TAG' 'RUN echo tag=$TAG' 'RUN echo \${X:-unset} $HTTP_PROXY'
    build args
    build args --build-arg TAG=nothere --build-arg HTTP_PROXY=p --build-arg UNUSED=1 2>&1 | sed 's/Get .*/Get/'
    build args --build-arg HTTP_PROXY=p --build-arg UNUSED=1
    df health 'FROM busybox' 'HEALTHCHECK NONE'
    build health -t health
    docker inspect -f '{{json .Config.Healthcheck}}' health
    df cmd 'FROM busybox' 'CMD echo a' 'ENTRYPOINT ["x"]'
    build cmd -t cmd
    docker inspect -f '{{json .Config.Cmd}} {{json .Config.Entrypoint}}' cmd
    df inherit 'FROM cmd' 'CMD ["b"]'
    build inherit -t inherit
    docker inspect -f '{{json .Config.Cmd}} {{json .Config.Entrypoint}}' inherit
    df reset 'FROM inherit' 'ENTRYPOINT ["y"]'
    build reset -t reset
    docker inspect -f '{{json .Config.Cmd}} {{json .Config.Entrypoint}}' reset
    df case 'from busybox' 'run echo lower' 'Env a b' '# comment' '   RUN echo indented \\\\' '  # inside' '  && echo more'
    build case
    df escape '# escape=\`' 'FROM busybox' 'RUN echo a \`' ' b'
    build escape
  `);
  await session.matches("build/instructions");
});

test("copying", async () => {
  const session = await begin();
  await session.play(`
    mkdir -p copy/dir/deep; echo a >copy/a; echo b >copy/b.txt; echo c >copy/dir/c; echo d >copy/dir/deep/d; ln -s ../a copy/dir/link; ln -s dir copy/dirlink; chmod 640 copy/a; chmod 755 copy/b.txt
    (cd copy/dir; tar cf ../t.tar c deep; tar czf ../t.tgz c)
    df copy 'FROM busybox' 'COPY a /one' 'COPY a b.txt /two/' 'COPY dir /three' 'COPY dir /four/' 'COPY *.txt /five/' 'COPY . /six' 'ADD t.tar /seven' 'ADD t.tgz /eight/' 'COPY t.tar /nine/' 'COPY --chown=33:44 a /ten' 'COPY --chown=daemon dir /eleven' 'WORKDIR /w' 'COPY a .' 'COPY a rel/' 'COPY dirlink /twelve' 'COPY dir/link /thirteen' 'RUN ln -s /one /ln && mkdir /real && ln -s /real /lnd' 'COPY b.txt /lnd/' 'COPY ["b.txt", "/with space/"]'
    build copy -t copy
    docker run --rm copy sh -c 'cd /; for d in one two three four five six seven eight nine ten eleven w twelve thirteen real "with space"; do find "$d" -exec stat -c "%n %A %u:%g %s %N" "{}" ";" | sort; done' | grep -v Dockerfile | grep -v t.tgz
    docker history --format '{{.CreatedBy}}' --no-trunc copy | sed 's/:[0-9a-f]\\{64\\}/:H/'
    touch copy/a; build copy | grep -c 'Using cache'
    echo changed > copy/a; build copy | grep -c 'Using cache'
    df bad1 'FROM busybox' 'COPY nothere /x'
    build bad1
    df bad2 'FROM busybox' 'COPY a* /x'
    build bad2
    touch bad2/a1 bad2/a2; build bad2
    df bad3 'FROM busybox' 'COPY ../x /x'
    build bad3
    df bad4 'FROM busybox' 'COPY --chown=nobodyhere a /x'
    touch bad4/a; build bad4
    df bad5 'FROM busybox' 'COPY --from=nothere a /x'
    build bad5 2>&1 | sed 's/pull access.*/pull/; s/Get .*/pull/; s/Error response.*/pull/'
    df bad6 'FROM busybox' 'COPY a /etc/passwd/x'
    touch bad6/a; build bad6 2>&1 | sed 's/files: .*/files/'
    mkdir ign; echo 1 >ign/keep; echo 2 >ign/drop; mkdir ign/sub; echo 3 >ign/sub/x.log; echo 4 >ign/sub/y; printf 'drop\\n**/*.log\\n!sub/keep.log\\n' > ign/.dockerignore; echo 5 >ign/sub/keep.log
    df ign 'FROM busybox' 'COPY . /i' 'RUN cd /i && find . | sort'
    build ign
    df ign2 'FROM busybox' 'COPY drop /i'
    cp ign/.dockerignore ign/drop ign2; build ign2
  `);
  await session.matches("build/copying");
});

test("stages", async () => {
  const session = await begin();
  await session.play(`
    df st 'FROM busybox AS one' 'RUN mkdir /o && echo built >/o/f && ln -s f /o/l' 'FROM busybox AS last' 'COPY --from=one /o /x' 'COPY --from=0 /o/f /y' 'COPY --from=busybox /etc/group /g' 'RUN cat /x/f /y && head -1 /g && readlink /x/l'
    build st -t st
    build st --target one -t st1
    docker run --rm st1 cat /o/f
    build st --target nothere
    df scratch 'FROM busybox AS b' 'FROM scratch' 'COPY --from=b /bin/busybox /bin/busybox' 'CMD ["/bin/busybox", "echo", "from scratch"]'
    build scratch -t scratch
    docker run --rm scratch
    df nothing 'FROM scratch'
    build nothing
    df dup 'FROM busybox AS a' 'RUN true' 'FROM busybox AS a' 'RUN true'
    build dup 2>&1 | tail -1 | sed 's/.*daemon: //'
    df self 'FROM busybox AS base' 'ENV X=1' 'FROM base' 'RUN echo $X'
    build self
  `);
  await session.matches("build/stages");
});

test("refusals", async () => {
  const session = await begin();
  await session.play(`
    df e1 'FROM busybox' 'FOO bar'
    build e1
    df e2 'RUN true'
    build e2
    df e3 ''
    build e3
    df e4 'FROM'
    build e4
    df e5 'FROM busybox' 'COPY a'
    build e5
    df e6 'FROM busybox' 'RUN exit 7'
    build e6
    df e7 'FROM busybox' 'RUN ["nothere"]'
    build e7 2>&1 | sed 's/runc/R/; s/failed to create.*exec/exec/'
    df e8 'FROM busybox' 'ENV a'
    build e8
    df e9 'FROM busybox' 'ENV =x'
    build e9
    df e10 'FROM busybox' 'EXPOSE x'
    build e10
    df e11 'FROM busybox' 'ONBUILD FROM x'
    build e11
    df e12 'FROM busybox' 'HEALTHCHECK --interval=x CMD a'
    build e12
    df e13 'FROM busybox' 'COPY --nope a b'
    build e13
    df e14 'FROM busybox' 'STOPSIGNAL NOPE'
    build e14
    df e15 'FROM busybox' 'SHELL sh'
    build e15
    df e16 'FROM busybox' 'VOLUME'
    build e16
    df e17 'FROM busybox AS 1a'
    build e17
    df e18 'FROM busybox' 'CMD ["a", 1]'
    build e18
    df e19 'FROM busybox' 'WORKDIR'
    build e19
    df e20 'FROM busybox' 'LABEL'
    build e20
    df e21 'FROM busybox' 'ARG'
    build e21
    df e22 'FROM busybox' 'USER'
    build e22
    df e23 'FROM BusyBox'
    build e23
    df e24 'FROM busybox' 'RUN --mount=type=nope true'
    build e24
    build e1 -t 'Bad Name'
    build e6 -f nothere
    build e6 --build-arg
    mkdir e25; : > e25/Dockerfile; build e25
    mkdir e26; : > e26/Other; build e26 -f e26/Other
    df e27 'FROM $NOTHING'
    build e27
    df e28 'FROM busybox' 'RUN echo a \\' '' ' && echo b'
    build e28
    docker ps -a --format '{{.Status}}' | cut -d' ' -f1 | sort | uniq -c
  `);
  await session.matches("build/refusals");
});

test("no command, volumes over files, and stages that name themselves", async () => {
  const session = await begin();
  await session.play(`
    df none 'FROM busybox' 'ENTRYPOINT ["echo", "of the image"]' 'CMD ["and its arguments"]' 'ARG A=1' 'RUN []'
    build none -t none
    df none 'FROM busybox' 'ENTRYPOINT ["echo", "of the image"]' 'CMD ["and its arguments"]' 'RUN []'
    build none -t none
    docker history --format '{{.CreatedBy}}' --no-trunc none | head -1
    df over 'FROM busybox' 'RUN echo x > /f' 'VOLUME /f'
    build over 2>&1 | sed 's/exists .*/exists/'
    df vol 'FROM busybox' 'RUN mkdir /d' 'VOLUME /d' 'RUN echo lost > /d/f' 'RUN ls -A /d'
    build vol
    df self 'FROM busybox' 'COPY --from=0 /bin/sh /x'
    build self
    df self 'FROM busybox' 'COPY --from=1 /bin/sh /x'
    build self
    df self 'FROM busybox' 'COPY --from=-1 /bin/sh /x'
    build self
  `);
  await session.matches("build/references");
});

test("what is wrong with a request for a build, and one by BuildKit without a session", async () => {
  const send = async (query: string) => {
    const answer = await target().api(`/build?${query}`, { method: "POST" });
    const lines = (await answer.text()).trim().split("\n");
    const last = JSON.parse(lines.at(-1) ?? "") as { id?: string; message?: string; error?: string };
    return [answer.status, last.id ?? last.message ?? last.error];
  };
  expect(await send("version=3")).toEqual([400, 'invalid version "3"']);
  expect(await send("isolation=x")).toEqual([400, 'unsupported isolation: "x"']);
  expect(await send("version=2&outputs=x")).toEqual([
    400,
    "invalid outputs specified: invalid character 'x' looking for beginning of value",
  ]);
  expect(await send("buildargs={")).toEqual([400, "error reading build args: unexpected end of JSON input"]);
  expect(await send("remote=client-session")).toEqual([
    400,
    "experimental session with v1 builder is no longer supported, use builder version v2 (BuildKit) instead",
  ]);
  const missing = "failed to read dockerfile: failed to load cache key: could not access local files without session";
  expect(await send("version=2&remote=client-session")).toEqual([200, missing]);
  await Bun.write(join(target().root, "work/sessionless/Dockerfile"), "FROM busybox\nRUN true\n");
  const tar = Bun.spawn(["tar", "-c", "-C", join(target().root, "work/sessionless"), "."], { stdout: "pipe" });
  const body = await new Response(tar.stdout).arrayBuffer();
  const built = await target().api("/build?version=2&t=sessionless", { method: "POST", body });
  expect(await built.text()).toContain("moby.image.id");
  await target().must("run", "--rm", "sessionless", "true");
  expect((await target().api("/build/cancel?id=x", { method: "POST" })).status).toBe(200);
});

test("beyond the classic builder: unused stages do not run, stages run at once, heredocs, mounts, modes", async () => {
  const { root } = target();
  const directory = join(root, "beyond");
  const build = async (dockerfile: string, ...flags: string[]) => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "Dockerfile"), dockerfile);
    const outcome = await target().dockerWith({ env: { DOCKER_BUILDKIT: "0" } }, "build", ...flags, directory);
    return { ...outcome, all: outcome.stdout + outcome.stderr };
  };
  if (target().kind !== "gantry") return;
  const unused = await build("FROM busybox AS no\nRUN echo never\nFROM busybox\nRUN echo only\n");
  expect(unused.stdout).not.toContain("never");
  expect(unused.stdout).toContain("Step 2/2");
  // Each waits for the other: one after the other they would never end.
  const meet = (own: string, other: string) =>
    `RUN --mount=type=cache,target=/r touch /r/${own} && timeout 60 sh -c 'until [ -e /r/${other} ]; do sleep 0.1; done' && echo ${own} >/${own}\n`;
  const two = await build(
    `FROM busybox AS a\n${meet("a", "b")}FROM busybox AS b\n${meet("b", "a")}` +
      "FROM busybox\nCOPY --from=a /a /\nCOPY --from=b /b /\nRUN cat /a /b\n",
  );
  expect(two.stdout).toContain("a\nb\n");
  const heredocs = await build(
    "FROM busybox\nARG WHO=you\nRUN <<EOF\necho one\necho two $WHO\nEOF\nCOPY <<A <<'B' /h/\nfor $WHO\nA\nraw $WHO\nB\n" +
      "RUN <<S\n#!/bin/busybox sh\necho script $0\nS\nRUN cat /h/A /h/B; ls -l /h/A | cut -c1-10\n",
  );
  expect(heredocs.stdout).toContain("one\ntwo you\n");
  expect(heredocs.stdout).toContain("for you\nraw $WHO\n-rw-r--r--\n");
  expect(heredocs.stdout).toContain("script /dev/pipes/S");
  writeFileSync(join(directory, "in"), "from the context\n");
  const mounts = (n: number) =>
    "FROM busybox AS s\nRUN echo stage >/s\nFROM busybox\n" +
    "RUN --mount=type=bind,source=in,target=/in --mount=from=s,source=/s,target=/st cat /in /st\n" +
    `RUN --mount=type=cache,target=/c echo ${n} >>/c/count && cat /c/count\n` +
    "RUN --mount=type=tmpfs,target=/t touch /t/x && ls /t /in /c 2>&1; echo end\nRUN --network=none ip link | grep -c eth0; true\n";
  const first = await build(mounts(1));
  expect(first.stdout).toContain("from the context\nstage\n");
  expect(first.stdout).toContain("\n1\n");
  expect((await build(mounts(2))).stdout).toContain("\n1\n2\n");
  const modes = await build(
    "FROM busybox\nCOPY --chmod=0751 in /m\nCOPY --parents ./in /p/\nRUN stat -c %a /m && cat /p/in\n",
  );
  expect(modes.stdout).toContain("751\nfrom the context\n");
  const secret = await build("FROM busybox\nRUN --mount=type=secret,id=x,required=true true\n");
  expect(secret.all).toContain("secret x: not found");
  const code = await build("FROM busybox\nRUN exit 42\n");
  expect(code.code).toBe(42);
});

test("contexts and files from elsewhere: Git with ref and subdirectory, archives and Dockerfiles at URLs, checksums", async () => {
  const { root, host } = target();
  const served = join(root, "served");
  const script = `
    mkdir -p ${served}/work/sub && cd ${served}/work && git init -q -b master
    printf 'FROM busybox\\nCOPY . /s\\nRUN cat /s/sub/f\\n' >Dockerfile
    printf 'FROM busybox\\nCOPY f /f\\nRUN cat /f\\n' >sub/Dockerfile
    echo main >sub/f && git add . && git -c user.name=a -c user.email=b commit -qm one
    git checkout -qb other && echo other >sub/f && git -c user.name=a -c user.email=b commit -qam two && git checkout -q master
    git clone -q --bare . ../repo.git && cd ../repo.git && git update-server-info
    cd ../work && tar czf ../context.tgz Dockerfile sub && printf 'FROM busybox\\nRUN echo alone\\n' >../Dockerfile.txt
    printf content >../file`;
  await must(["bash", "-e", "-c", script]);
  using server = Bun.serve({
    hostname: host.gateway,
    port: 0,
    fetch: (request) => {
      const path = join(served, new URL(request.url).pathname);
      if (!existsSync(path) || !statSync(path).isFile()) return new Response("", { status: 404 });
      const type = path.endsWith(".txt") ? "text/plain" : "application/octet-stream";
      return new Response(Bun.file(path), {
        headers: { "content-type": type, "last-modified": "Thu, 01 Jan 2015 00:00:00 GMT" },
      });
    },
  });
  const at = `http://${host.gateway}:${server.port}`;
  const build = async (args: string[], input = "") => {
    const options = { env: { DOCKER_BUILDKIT: "0" }, input };
    const { stdout, stderr, code } = await target().dockerWith(options, "build", "--no-cache", ...args);
    return { said: stdout + stderr, code };
  };
  // The CLI itself fetches what it can; what is sent as `remote` is the daemon's to fetch.
  const remote = async (url: string) =>
    (await target().api(`/build?remote=${encodeURIComponent(url)}&nocache=1`, { method: "POST" })).text();
  expect(await remote(`${at}/repo.git`)).toContain("main\\n");
  expect(await remote(`${at}/repo.git#other:sub`)).toContain("other\\n");
  expect(await remote(`${at}/repo.git#nothere`)).toContain("nothere");
  expect(await remote(`${at}/context.tgz`)).toContain("main\\n");
  expect(await remote(`${at}/Dockerfile.txt`)).toContain("alone\\n");
  expect(await remote(`${at}/missing`)).toContain("404");
  const added = await build(
    ["-"],
    `FROM busybox\nADD ${at}/file /a/\nADD ${at}/file /b\nRUN cat /a/file /b; stat -c '%a %Y' /b\n`,
  );
  expect(added.said).toContain("contentcontent");
  expect(added.said).toContain("600 1420070400");
  if (target().kind !== "gantry") return;
  const digest = new Bun.CryptoHasher("sha256").update("content").digest("hex");
  expect((await build(["-"], `FROM busybox\nADD --checksum=sha256:${digest} ${at}/file /x\n`)).code).toBe(0);
  expect((await build(["-"], `FROM busybox\nADD --checksum=sha256:${"0".repeat(64)} ${at}/file /x\n`)).said).toContain(
    "digest mismatch",
  );
  expect((await build(["-"], `FROM busybox\nADD ${at}/repo.git#other:sub /g/\nRUN cat /g/f\n`)).said).toContain(
    "other\n",
  );
});

test("a client that goes ends its build: the step's process, and its container", async () => {
  const directory = join(target().root, "cancel");
  mkdirSync(directory);
  writeFileSync(join(directory, "Dockerfile"), "FROM busybox\nRUN sleep 1000\n");
  for (const signal of ["SIGKILL", "SIGINT"] as const) {
    const env = { ...target().cliEnvironment, DOCKER_BUILDKIT: "0" };
    const client = Bun.spawn([dockerCli, "build", directory], { env, stdout: "ignore", stderr: "ignore" });
    await until("the step to run", async () => (await target().must("ps", "-q")) !== "" || undefined);
    client.kill(signal);
    await client.exited;
    await until("its container to go", async () => (await target().must("ps", "-q")) === "" || undefined);
  }
});

test("an image that was loaded is a cache by its history", async () => {
  const directory = join(target().root, "history");
  mkdirSync(directory);
  const lines = ["FROM busybox", "ENV A=1", "COPY file /file", "RUN head -c 20 /dev/urandom >/random", 'CMD ["x"]'];
  writeFileSync(join(directory, "file"), "content");
  const build = async (tag: string, steps: string[]) => {
    writeFileSync(join(directory, "Dockerfile"), `${steps.join("\n")}\n`);
    const flags = ["-t", tag, "--cache-from", "given"];
    const { stdout } = await target().dockerWith({ env: { DOCKER_BUILDKIT: "0" } }, "build", ...flags, directory);
    return stdout.match(/Using cache/g)?.length ?? 0;
  };
  expect(await build("given", lines)).toBe(0);
  const id = await target().must("inspect", "-f", "{{.Id}}", "given");
  expect(await build("given", lines)).toBe(4);
  const archive = join(target().root, "given.tar");
  await target().must("save", "-o", archive, "given");
  const before = await target().must("run", "--rm", "given", "od", "-tx1", "/random");
  await target().must("rmi", "given");
  await target().must("load", "-q", "-i", archive);
  expect(await build("again", lines)).toBe(4);
  expect(await target().must("run", "--rm", "again", "od", "-tx1", "/random")).toBe(before);
  // It is the same image, and what else was built here does not count.
  expect(await target().must("inspect", "-f", "{{.Id}}", "again")).toBe(id);
  expect(await build("other", [...lines.slice(0, 3), "RUN echo other >/random", ...lines.slice(4)])).toBe(2);
  writeFileSync(join(directory, "file"), "changed");
  expect(await build("changed", lines)).toBe(1);
  await target().must("rmi", "given");
  expect(await build("elsewhere", lines)).toBe(0);
  await target().must("rmi", "again", "other", "changed", "elsewhere");
});

const onGantry = test.if(targetKind === "gantry");

test("with experimental features, a build's layers become one over its base", async () => {
  const own = await Target.start({ config: { experimental: true } });
  try {
    const session = new Session(own);
    await session.prepare(helpers.join("\n"));
    await session.play(`
      docker version --format '{{.Server.Experimental}}'
      df sq 'FROM busybox AS base' 'RUN mkdir -p /d/e /gone && echo 1 > /d/1 && echo 2 > /gone/2' 'FROM base' 'RUN rm -r /gone /bin/wget && echo 3 > /d/3 && ln /d/3 /d/4 && ln -s 3 /d/5' 'RUN rm /d/3 && chmod 700 /d/e && echo one > /d/1' 'RUN rm -r /tmp && mkdir -m 750 /tmp && echo x > /tmp/x' 'ENV A=1' 'CMD ["x"]'
      build sq -t plain
      build sq --squash -t sq
      docker inspect -f '{{len .RootFS.Layers}} {{json .Config.Cmd}} {{json .Config.Env}}' plain sq
      docker history --format '{{.CreatedBy}}|{{.Size}}|{{.Comment}}' --no-trunc sq | sed 's/sha256:[0-9a-f]*/ID/g'
      docker run --rm sq sh -c 'ls -lR /d /tmp; ls -d /gone /bin/wget; cat /d/1 /d/4' | sed 's/ [A-Z][a-z][a-z] .[0-9] .....//'
      df scratch 'FROM busybox AS b' 'FROM scratch' 'COPY --from=b /bin/busybox /b' 'COPY --from=b /etc/passwd /etc/'
      build scratch --squash -t scratch
      docker inspect -f '{{len .RootFS.Layers}}' scratch
      docker history --format '{{.CreatedBy}}|{{.Size}}|{{.Comment}}' --no-trunc scratch | sed 's/sha256:[0-9a-f]*/ID/g'
    `);
    await session.matches("build/squash");
    if (targetKind !== "gantry") return;
    const [squash, context] = [["build", "-q", "--squash", "-t", "own"], join(own.root, "work/sq")];
    const built = await own.dockerWith(
      { cli: gantryCommand()[0] as string },
      ...gantryCommand().slice(1),
      ...squash,
      context,
    );
    expect(built.code).toBe(0);
    expect(await own.must("inspect", "-f", "{{len .RootFS.Layers}}", "own")).toBe("3");
    const refused = await target().dockerWith(
      { cli: gantryCommand()[0] as string },
      ...gantryCommand().slice(1),
      ...squash,
      context,
    );
    expect(refused.stderr).toContain("squash is only supported with experimental mode");
  } finally {
    await own.stop();
  }
});

onGantry("steps in a row have one network, steps at once have their own, and nothing is left of either", async () => {
  const address =
    "ip -o addr show eth0 | grep -o '[0-9.]*/' | head -1 >> /a; ip -o link show eth0 | grep -o 'ether [0-9a-f:]*' >> /a";
  const lines = [
    "FROM busybox AS one",
    `RUN ${address}`,
    "ENV A=1",
    `RUN ${address}`,
    "RUN --network=none true",
    `RUN ${address}; sleep 1`,
  ];
  const other = ["FROM busybox AS two", `RUN ${address}; sleep 1`];
  const both = ["FROM busybox", "COPY --from=one /a /one", "COPY --from=two /a /two", "RUN cat /one; echo; cat /two"];
  const input = [...lines, ...other, ...both].join("\n");
  const { stdout, code } = await target().dockerWith(
    { env: { DOCKER_BUILDKIT: "0" }, input },
    "build",
    "--no-cache",
    "-",
  );
  expect(code).toBe(0);
  const seen = stdout.match(/^(?:[0-9.]+\/|ether .*)$/gm) ?? [];
  expect(seen.length).toBe(8);
  expect(new Set(seen.slice(0, 6)).size).toBe(2);
  expect(seen).not.toContain("");
  expect(seen.slice(6).every((part) => !seen.slice(0, 6).includes(part))).toBe(true);
  const [bridge] = JSON.parse(await target().must("network", "inspect", "bridge")) as { Containers: object }[];
  expect(bridge?.Containers).toEqual({});
});

onGantry("the build cache is collected by the rules of daemon.json, and shown by system df", async () => {
  const own = await Target.start({ config: { builder: { gc: { enabled: true, defaultKeepStorage: "1MB" } } } });
  try {
    const directory = join(own.root, "gc");
    mkdirSync(directory);
    for (let round = 0; round < 3; round++) {
      writeFileSync(
        join(directory, "Dockerfile"),
        `FROM busybox\nRUN head -c 900000 /dev/urandom >/x${round}\nENV A=1\n`,
      );
      const { code } = await own.dockerWith({ env: { DOCKER_BUILDKIT: "0" } }, "build", "-t", "gc", directory);
      expect(code).toBe(0);
    }
    interface Cache {
      Shared: boolean;
      Size: number;
    }
    const usage = async () =>
      ((await (await own.api("/system/df?type=build-cache")).json()) as { BuildCache: Cache[] }).BuildCache;
    await until("the cache to be collected", async () => {
      const sizes = (await usage()).map(({ Size }) => Size);
      return sizes.reduce((sum, size) => sum + size, 0) <= 1 << 20 || undefined;
    });
    // What the newest image was built from is still there.
    expect((await usage()).some(({ Shared, Size }) => Shared && Size === 900_000)).toBe(true);
    expect(await own.must("run", "--rm", "gc", "sh", "-c", "wc -c </x2")).toBe("900000");
  } finally {
    await own.stop();
  }
});
