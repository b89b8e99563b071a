/** Pull, push and login against Debian's docker-registry, with the stock CLI; what was pushed is read by skopeo. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { useTarget } from "./lib/journey.ts";
import { TestRegistries } from "./lib/registries.ts";
import type { Outcome } from "./lib/run.ts";
import { buildxPlugin } from "./lib/settings.ts";

let registries: TestRegistries;

// Before the target is looked after, which must find nothing left on its network.
afterAll(() => registries?.stop());

const target = useTarget();

/** `ann`, `secret`. */
const passwords = "ann:$2b$05$B0SuLP/TlUTSgW4WtrpixOqUQrr6njco0ESvQgFtj9znGvtPcTFKq\n";
const open = "localhost:5981";
const locked = "localhost:5982";

beforeAll(async () => {
  const htpasswd = join(target().root, "htpasswd");
  writeFileSync(htpasswd, passwords);
  registries = new TestRegistries(target());
  await registries.start("docker-registry", open);
  await registries.start("docker-registry", locked, { auth: { htpasswd: { realm: "r", path: htpasswd } } });
}, 60_000);

function lines({ stdout, stderr }: Outcome): string[] {
  return `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
}

test("tag, push, remove, pull, run; a second image sends only its own layer", async () => {
  const docker = target().docker.bind(target());
  const must = target().must.bind(target());
  await must("tag", "busybox", `${open}/team/bb:1`);
  const pushed = lines(await docker("push", `${open}/team/bb:1`));
  expect(pushed[0]).toBe(`The push refers to repository [${open}/team/bb]`);
  expect(pushed.some((line) => line.endsWith(": Pushed"))).toBe(true);
  expect(pushed.at(-1)).toMatch(/^1: digest: sha256:[0-9a-f]{64} size: \d+$/);
  expect(lines(await docker("push", `${open}/team/bb:1`))).toContainEqual(
    expect.stringMatching(/: Layer already exists$/),
  );
  await must("tag", "busybox", `${open}/other:2`);
  expect(lines(await docker("push", `${open}/other:2`))).toContainEqual(
    expect.stringMatching(/: Mounted from team\/bb$/),
  );
  await must("run", "--name", "client", "--network", "none", `${open}/team/bb:1`, "sh", "-c", "echo mine >/mine");
  await must("commit", "client", `${open}/team/bb:2`);
  const second = lines(await docker("push", `${open}/team/bb:2`));
  expect(second.filter((line) => line.endsWith(": Pushed"))).toHaveLength(1);
  expect(second.filter((line) => line.endsWith(": Layer already exists"))).toHaveLength(1);
  await must("rm", "client");
  await must("rmi", `${open}/team/bb:1`, `${open}/team/bb:2`, `${open}/other:2`, "busybox");
  const pulled = lines(await docker("pull", `${open}/team/bb:2`));
  expect(pulled[0]).toBe("2: Pulling from team/bb");
  expect(pulled).toContain(`Status: Downloaded newer image for ${open}/team/bb:2`);
  expect(await must("run", "--rm", "--network", "none", `${open}/team/bb:2`, "cat", "/mine")).toBe("mine");
  const all = lines(await docker("pull", "-a", `${open}/team/bb`));
  expect(all).toContain("1: Pulling from team/bb");
  const digest = await must("inspect", "-f", "{{index .RepoDigests 0}}", `${open}/team/bb:2`);
  expect(lines(await docker("pull", digest)).at(-1)).toBe(digest);
});

test("skopeo reads what was pushed", async () => {
  const { host, root } = target();
  const from = `docker://${open}/team/bb:2`;
  const copied = await host.run(
    "skopeo",
    "--insecure-policy",
    "copy",
    "--src-tls-verify=false",
    from,
    `oci:${root}/copy:1`,
  );
  expect(copied.stderr).toBe("");
  const inspected = await host.run("skopeo", "inspect", "--tls-verify=false", from);
  expect((JSON.parse(inspected.stdout) as { Layers: string[] }).Layers).toHaveLength(2);
});

test("login, and what is refused without", async () => {
  const { docker, must } = { docker: target().docker.bind(target()), must: target().must.bind(target()) };
  const name = `${locked}/bb:1`;
  await must("tag", `${open}/team/bb:1`, name);
  expect(lines(await docker("push", name)).at(-1)).toBe("no basic auth credentials");
  expect(lines(await docker("pull", name)).at(-1)).toEndWith("no basic auth credentials");
  const login = (input: string) => target().dockerWith({ input }, "login", "-u", "ann", "--password-stdin", locked);
  expect((await login("wrong")).stderr).toContain(
    `login attempt to http://${locked}/v2/ failed with status: 401 Unauthorized`,
  );
  expect((await login("secret")).stdout).toContain("Login Succeeded");
  expect((await docker("push", name)).code).toBe(0);
  await must("rmi", name);
  await must("pull", "-q", name);
  await must("logout", locked);
});

test("what is not there", async () => {
  const docker = target().docker.bind(target());
  const says = async (...args: string[]) => (await docker(...args)).stderr.trim();
  expect(await says("pull", `${open}/team/bb:no`)).toBe(
    `Error response from daemon: manifest for ${open}/team/bb:no not found: manifest unknown: manifest unknown`,
  );
  expect(await says("pull", "localhost:5983/x")).toContain("connect: connection refused");
  expect(await says("push", `${open}/never`)).toBe(`An image does not exist locally with the tag: ${open}/never`);
  expect(await says("push", `${open}/team/bb:never`)).toBe(`tag does not exist: ${open}/team/bb:never`);
});

test.if(buildxPlugin !== undefined && existsSync(buildxPlugin))(
  "a build pulls and pushes with the client's login",
  async () => {
    const { root } = target();
    const docker = target().docker.bind(target());
    mkdirSync(join(root, "cli/cli-plugins"), { recursive: true });
    symlinkSync(buildxPlugin as string, join(root, "cli/cli-plugins/docker-buildx"));
    mkdirSync(join(root, "pushed"));
    writeFileSync(join(root, "pushed/Dockerfile"), `FROM ${open}/team/bb:1\nRUN echo pushed > /p\nCMD ["cat", "/p"]\n`);
    const build = (tag: string, directory: string) =>
      docker("build", "--pull=false", "--push", "-t", tag, join(root, directory));
    await docker("logout", locked);
    const refused = await build(`${locked}/team/built:1`, "pushed");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("no basic auth credentials");
    expect((await docker("login", "-u", "ann", "-p", "secret", locked)).code).toBe(0);
    expect((await build(`${locked}/team/built:1`, "pushed")).code).toBe(0);
    expect((await docker("rmi", `${locked}/team/built:1`)).code).toBe(0);
    mkdirSync(join(root, "based"));
    writeFileSync(join(root, "based/Dockerfile"), `FROM ${locked}/team/built:1\nRUN cat /p > /q\nCMD ["cat", "/q"]\n`);
    expect((await build(`${locked}/team/based:1`, "based")).code).toBe(0);
    expect((await docker("run", "--rm", `${locked}/team/based:1`)).stdout).toBe("pushed\n");
  },
);
