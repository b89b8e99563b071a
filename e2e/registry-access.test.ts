/** Our registry with clients of every kind: the engine under test, Debian's dockerd beside it, and skopeo and podman. Tokens, rules, a mirror. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxArchive } from "./lib/images.ts";
import { useTarget } from "./lib/journey.ts";
import { Peer } from "./lib/peer.ts";
import { Podman } from "./lib/podman.ts";
import { TestRegistries } from "./lib/registries.ts";
import { type Outcome, run } from "./lib/run.ts";
import { dockerCli } from "./lib/settings.ts";

const locked = "localhost:5971";
const mirror = "localhost:5972";
const open = "localhost:5973";
const basic = "localhost:5974";
const mirrors = { "registry-mirrors": [`http://${mirror}`] };

let registries: TestRegistries;
let peer: Peer | undefined;

// Before the target is looked after, which must find nothing left on its network.
afterAll(async () => {
  await peer?.remove();
  await registries?.stop();
}, 60_000);

const target = useTarget({ config: mirrors });

/** `ann` and `bob`, both `secret`. */
const hash = "$2b$05$B0SuLP/TlUTSgW4WtrpixOqUQrr6njco0ESvQgFtj9znGvtPcTFKq";

beforeAll(async () => {
  const { root } = target();
  writeFileSync(join(root, "users"), `ann:${hash}\nbob:${hash}\n`);
  const rules = [
    { users: ["ann"], repositories: ["**"], actions: ["pull", "push", "delete"] },
    { users: ["bob"], repositories: ["team/*"], actions: ["pull", "push"] },
    { users: ["anonymous"], repositories: ["public/*"], actions: ["pull"] },
  ];
  registries = new TestRegistries(target());
  const start = (address: string, config: Record<string, unknown>) =>
    registries.start("gantry registry", address, config);
  await start(locked, { access: { mode: "token", htpasswd: join(root, "users"), rules } });
  await start(basic, { access: { mode: "basic", htpasswd: join(root, "users"), rules } });
  await start(open, { tags: { immutable: ["frozen/**:v*"] } });
  await start(mirror, { mirrors: [{ prefix: "docker.io", url: `http://${open}`, default: true }] });
  peer = new Peer(target(), mirrors);
  await peer.start();
  await peer.must("import", "-c", 'CMD ["sh"]', await busyboxArchive(), "busybox:latest");
}, 120_000);

/** The stock CLI on an engine, with a configuration of its own. */
function cli(engine: string) {
  const environment = engine === "dockerd" ? peer?.cliEnvironment : target().cliEnvironment;
  const config = join(target().root, `config-${engine}`);
  const env = { ...environment, DOCKER_CONFIG: config };
  return { config, docker: (...args: string[]): Promise<Outcome> => run([dockerCli, ...args], { env }) };
}

const engines = ["the engine under test", "dockerd"];

test.each(engines)(
  "%s: login, push and pull by token, as far as the rules go",
  async (engine) => {
    const { docker, config } = cli(engine);
    const must = async (...args: string[]) => {
      const { code, stdout, stderr } = await docker(...args);
      expect([args, code, stderr]).toEqual([args, 0, expect.any(String)]);
      return stdout;
    };
    const wrong = await docker("login", "-u", "bob", "-p", "wrong", locked);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("unauthorized")]);
    expect(await must("login", "-u", "bob", "-p", "secret", locked)).toContain("Login Succeeded");
    const { auths } = JSON.parse(readFileSync(join(config, "config.json"), "utf8")) as {
      auths: Record<string, { identitytoken?: string; auth: string }>;
    };
    expect(auths[locked]?.identitytoken).toBeString();
    expect(Buffer.from(auths[locked]?.auth ?? "", "base64").toString()).not.toContain("secret");
    const name = engine.replaceAll(" ", "-");
    for (const repository of ["team", "other", "public"])
      await must("tag", "busybox", `${locked}/${repository}/${name}`);
    await must("push", `${locked}/team/${name}`);
    const refused = await docker("push", `${locked}/other/${name}`);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/unauthorized|denied/)]);
    await must("login", "-u", "ann", "-p", "secret", locked);
    await must("push", `${locked}/public/${name}`);
    await must("logout", locked);
    await must("rmi", `${locked}/team/${name}`, `${locked}/public/${name}`, `${locked}/other/${name}`);
    expect((await docker("pull", `${locked}/team/${name}`)).code).toBe(1);
    await must("pull", `${locked}/public/${name}`);
  },
  120_000,
);

test.each(engines)(
  "%s: login, push and pull by password; what is refused is said at once",
  async (engine) => {
    const { docker } = cli(engine);
    const name = `${basic}/team/${engine.replaceAll(" ", "-")}`;
    const frozen = `${open}/frozen/${engine.length}:v1`;
    const refused = async (...args: string[]) => {
      const { code, stderr } = await docker(...args);
      expect(code).toBe(1);
      return stderr;
    };
    expect(await refused("login", "-u", "bob", "-p", "wrong", basic)).toContain("401 Unauthorized");
    await docker("tag", "busybox", name);
    expect(await refused("push", name)).toContain("no basic auth credentials");
    for (const args of [
      ["login", "-u", "bob", "-p", "secret", basic],
      ["push", name],
      ["rmi", name],
      ["pull", name],
    ]) {
      const { code, stderr } = await docker(...args);
      expect([args, code, stderr]).toEqual([args, 0, expect.any(String)]);
    }
    await docker("tag", "busybox", `${basic}/other/x`);
    expect(await refused("push", `${basic}/other/x`)).toMatch(/denied|unauthorized/);
    await docker("tag", "busybox", frozen);
    expect((await docker("push", frozen)).code).toBe(0);
    const other = join(target().root, "other.tar");
    await target().host.run("tar", "-cf", other, "-C", "/etc", "hostname");
    await docker("import", other, frozen);
    expect(await refused("push", frozen)).toContain("denied: tag v1 is immutable");
    await docker("logout", basic);
    expect(await refused("pull", name)).toContain("no basic auth credentials");
  },
  40_000,
);

test.each(engines)(
  "%s: a mirror of the Docker Hub that fetches what it has not",
  async (engine) => {
    const { docker } = cli(engine);
    const name = engine === "dockerd" ? "theirs" : "ours";
    for (const args of [
      ["tag", "busybox", `${open}/library/${name}:1`],
      ["push", `${open}/library/${name}:1`],
      ["rmi", `${open}/library/${name}:1`],
      ["pull", `${name}:1`],
    ]) {
      const { code, stderr } = await docker(...args);
      expect([args, code, stderr]).toEqual([args, 0, expect.any(String)]);
    }
    const kept = await target().host.run("curl", "-s", `http://${mirror}/v2/docker.io/library/${name}/tags/list`);
    expect(JSON.parse(kept.stdout)).toEqual({ name: `docker.io/library/${name}`, tags: ["1"] });
  },
  120_000,
);

test("skopeo: by password for tokens, and what is open to everyone without", async () => {
  const { host, root } = target();
  const layout = join(root, "skopeo");
  const copy = (...args: string[]) => host.run("skopeo", "--insecure-policy", "copy", "-q", ...args);
  const source = `docker://${locked}/public/dockerd:latest`;
  const read = await copy("--src-tls-verify=false", source, `oci:${layout}:1`);
  expect([read.code, read.stderr]).toEqual([0, ""]);
  expect(existsSync(join(layout, "index.json"))).toBe(true);
  const destination = `docker://${locked}/team/skopeo:1`;
  expect((await copy("--dest-tls-verify=false", `oci:${layout}:1`, destination)).code).not.toBe(0);
  const written = await copy("--dest-tls-verify=false", "--dest-creds", "bob:secret", `oci:${layout}:1`, destination);
  expect([written.code, written.stderr]).toEqual([0, ""]);
  const inspected = await host.run("skopeo", "inspect", "--tls-verify=false", "--creds", "bob:secret", destination);
  expect(JSON.parse(inspected.stdout)).toMatchObject({ Name: `${locked}/team/skopeo` });
});

test("podman: by token, as far as the rules go, and by password", async () => {
  const podman = new Podman(target());
  const plain = "--tls-verify=false";
  const refused = async (...args: string[]) => {
    const { code, stderr } = await podman.run(...args);
    expect([args, code]).toEqual([args, 125]);
    return stderr;
  };
  const image = `${locked}/team/podman`;
  await podman.import(image);
  for (const [registry, forbidden] of [
    [locked, /requested access to the resource is denied|unauthorized|authentication required/],
    [basic, /denied|unauthorized/],
  ] as const) {
    const name = `${registry}/team/podman`;
    const other = `${registry}/other/podman`;
    if (name !== image) await podman.must("tag", image, name);
    await podman.must("tag", image, other);
    expect(await refused("push", plain, name)).toMatch(forbidden);
    expect(await refused("login", plain, "-u", "bob", "-p", "wrong", registry)).toContain("invalid username/password");
    expect(await podman.must("login", plain, "-u", "bob", "-p", "secret", registry)).toBe("Login Succeeded!");
    expect(await podman.must("login", "--get-login", registry)).toBe("bob");
    await podman.must("push", plain, name);
    expect(await refused("push", plain, other)).toMatch(forbidden);
    await podman.must("rmi", name, other);
    await podman.must("pull", plain, name);
    await podman.must("logout", registry);
    expect(await refused("pull", plain, name)).toMatch(forbidden);
  }
  // What the rules open to everyone needs no login where tokens are given.
  await podman.must("login", plain, "-u", "ann", "-p", "secret", locked);
  await podman.must("tag", image, `${locked}/public/podman`);
  await podman.must("push", plain, `${locked}/public/podman`);
  await podman.must("logout", locked);
  await podman.must("rmi", `${locked}/public/podman`);
  await podman.must("pull", plain, `${locked}/public/podman`);
  expect(await refused("push", plain, `${locked}/public/podman`)).toMatch(
    /denied|unauthorized|authentication required/,
  );
  await podman.must("rmi", "-af");
}, 60_000);
