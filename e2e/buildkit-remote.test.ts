/** Build definitions and contexts that lie elsewhere, by BuildKit's API: `docker buildx bake` and `build` of Git repositories and URLs. */
import { expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { hasBuildx, linkPlugins } from "./lib/buildx.ts";
import { useTarget } from "./lib/journey.ts";
import { must, type Outcome, run } from "./lib/run.ts";
import { dockerCli } from "./lib/settings.ts";

const withBuildx = test.if(hasBuildx);
const target = useTarget();
const token = "open-sesame";
const basic = `Basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}`;

/** The files of a directory, below `/private` for the token's bearer only. */
function serve(directory: string, hostname: string) {
  return Bun.serve({
    hostname,
    port: 0,
    fetch: ({ url, headers }) => {
      const path = new URL(url).pathname;
      if (path.startsWith("/private/") && headers.get("authorization")?.toLowerCase() !== basic.toLowerCase()) {
        return new Response("", { status: 401, headers: { "www-authenticate": "Basic" } });
      }
      const file = join(directory, path.replace("/private/", "/"));
      const found = existsSync(file) && statSync(file).isFile();
      return found ? new Response(Bun.file(file)) : new Response("", { status: 404 });
    },
  });
}

withBuildx("bake reads its definition from a repository or a URL, and builds with what lies there", async () => {
  linkPlugins(target());
  const { root, host } = target();
  const served = join(root, "served");
  const bake = `
target "default" { dockerfile-inline = "FROM scratch\\nCOPY foo /foo" }
target "inner" { context = "sub" }
target "local" {
  context = "cwd://."
  dockerfile-inline = "FROM scratch\\nCOPY mine /mine"
}`;
  await Bun.write(join(served, "work/docker-bake.hcl"), bake);
  await Bun.write(join(served, "work/sub/Dockerfile"), "FROM scratch\nCOPY f /inner\n");
  await must([
    "bash",
    "-ec",
    `cd ${served}/work && git init -q -b master && echo foo >foo && echo side >sub/f && git add .
    git -c user.name=a -c user.email=b commit -qm one && git clone -q --bare . ../repo.git && cd ../repo.git && git update-server-info
    cp ../work/docker-bake.hcl ../definition.hcl`,
  ]);
  using server = serve(served, host.gateway);
  const at = `http://${host.gateway}:${server.port}`;
  const work = join(root, "work");
  await Bun.write(join(work, "mine"), "mine");
  const bakeOf = (line: string[], env: Record<string, string> = {}): Promise<Outcome> =>
    run([dockerCli, "buildx", "bake", "--allow=fs=*", ...line], {
      env: { ...target().cliEnvironment, ...env },
      cwd: work,
    });
  const built = async (out: string, line: string[], env?: Record<string, string>) => {
    const outcome = await bakeOf([...line, "--set", `*.output=type=local,dest=${out}`], env);
    expect([outcome.stderr, outcome.code]).toEqual([outcome.stderr, 0]);
    return (await must(["bash", "-c", "cd $0 && grep -r .", join(work, out)])).trim().split("\n").sort();
  };
  expect(await built("git", [`${at}/repo.git`])).toEqual(["foo:foo"]);
  expect(await built("inner", [`${at}/repo.git`, "inner"])).toEqual(["inner:side"]);
  expect(await built("local", [`${at}/repo.git`, "local"])).toEqual(["mine:mine"]);
  expect(await built("file", [`${at}/definition.hcl`, "local"])).toEqual(["mine:mine"]);
  const secret = { BUILDX_BAKE_GIT_AUTH_TOKEN: token };
  expect(await built("private", [`${at}/private/repo.git`, "inner"], secret)).toEqual(["inner:side"]);
  const refused = await bakeOf([`${at}/private/repo.git`]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("could not read Username");
  const build = ["--secret", "id=GIT_AUTH_TOKEN,env=TOKEN", "-o", "single", `${at}/private/repo.git#master:sub`];
  const env = { ...target().cliEnvironment, TOKEN: token };
  expect((await run([dockerCli, "buildx", "build", ...build], { env, cwd: work })).code).toBe(0);
  expect(await Bun.file(join(work, "single/inner")).text()).toBe("side\n");
  const asked = ["-o", "asked", `${at}/repo.git?branch=master&subdir=sub`];
  expect((await run([dockerCli, "buildx", "build", ...asked], { env, cwd: work })).code).toBe(0);
  expect(await Bun.file(join(work, "asked/inner")).text()).toBe("side\n");
});
