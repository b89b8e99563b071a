/** Our registry behind a certificate of one's own authority, with passwords, and clients of every kind that are told of the authority. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestAuthority } from "./lib/certificates.ts";
import { busyboxArchive } from "./lib/images.ts";
import { useTarget } from "./lib/journey.ts";
import { Peer } from "./lib/peer.ts";
import { Podman } from "./lib/podman.ts";
import { TestRegistries } from "./lib/registries.ts";
import { type Outcome, run } from "./lib/run.ts";
import { dockerCli } from "./lib/settings.ts";

let registries: TestRegistries;
let peer: Peer | undefined;
let authority: TestAuthority;
/** The registry; loopback addresses would be insecure ones. */
let address = "";
/** The host's own: this registry has an address that no other has. */
let trusted = "";

// Before the target is looked after, which must find nothing left on its network.
afterAll(async () => {
  if (trusted !== "") rmSync(trusted, { recursive: true, force: true });
  await peer?.remove();
  await registries?.stop();
}, 60_000);

const target = useTarget();
const unknown = /certificate signed by unknown authority/;

beforeAll(async () => {
  const { root, host } = target();
  address = `${host.address}:5975`;
  trusted = join("/etc/docker/certs.d", address);
  authority = await TestAuthority.create(join(root, "certificates"));
  await authority.sign("server", `subjectAltName=IP:${host.address}`);
  writeFileSync(join(root, "users"), "bob:$2b$05$B0SuLP/TlUTSgW4WtrpixOqUQrr6njco0ESvQgFtj9znGvtPcTFKq\n");
  registries = new TestRegistries(target());
  await registries.start("gantry registry", address, {
    tls: { certificate: authority.file("server.crt"), key: authority.file("server.key") },
    access: { mode: "basic", htpasswd: join(root, "users") },
  });
  peer = new Peer(target());
  await peer.start();
  await peer.must("import", "-c", 'CMD ["sh"]', await busyboxArchive(), "busybox:latest");
}, 120_000);

function succeeds({ code, stderr }: Outcome): void {
  expect([code, stderr]).toEqual([0, expect.any(String)]);
}

test.each(["the engine under test", "dockerd"])(
  "%s",
  async (engine) => {
    const environment = engine === "dockerd" ? peer?.cliEnvironment : target().cliEnvironment;
    const env = { ...environment, DOCKER_CONFIG: join(target().root, `config-${engine}`) };
    const docker = (...args: string[]) => run([dockerCli, ...args], { env });
    const login = ["login", "-u", "bob", "-p", "secret", address];
    const name = `${address}/tls/${engine.replaceAll(" ", "-")}`;
    rmSync(trusted, { recursive: true, force: true });
    expect((await docker(...login)).stderr).toMatch(unknown);
    mkdirSync(trusted, { recursive: true });
    copyFileSync(authority.file("ca.crt"), join(trusted, "ca.crt"));
    expect((await docker("login", "-u", "bob", "-p", "wrong", address)).stderr).toContain("401 Unauthorized");
    for (const args of [login, ["tag", "busybox", name], ["push", name], ["rmi", name], ["pull", name]])
      succeeds(await docker(...args));
    rmSync(trusted, { recursive: true });
  },
  60_000,
);

test("podman", async () => {
  const podman = new Podman(target());
  const name = `${address}/tls/podman`;
  const login = ["login", "-u", "bob", "-p", "secret", address];
  expect((await podman.run(...login)).stderr).toMatch(unknown);
  // A directory for these clients alone: the host's own is empty again.
  const certificates = join(target().root, "trusted");
  mkdirSync(certificates);
  copyFileSync(authority.file("ca.crt"), join(certificates, "ca.crt"));
  const told = ["--cert-dir", certificates];
  expect((await podman.run("login", ...told, "-u", "bob", "-p", "wrong", address)).stderr).toContain(
    "invalid username/password",
  );
  const [command, ...rest] = login as [string, ...string[]];
  succeeds(await podman.run(command, ...told, ...rest));
  await podman.import(name);
  succeeds(await podman.run("push", ...told, name));
  await podman.must("rmi", name);
  succeeds(await podman.run("pull", ...told, name));
  await podman.must("rmi", "-af");
}, 60_000);

test("skopeo", async () => {
  const { host } = target();
  const name = `docker://${address}/tls/podman`;
  const skopeo = (...args: string[]) => host.run("skopeo", ...args);
  expect((await skopeo("inspect", "--creds", "bob:secret", name)).stderr).toMatch(unknown);
  const told = ["--cert-dir", join(target().root, "trusted")];
  expect((await skopeo("inspect", ...told, name)).code).toBe(1);
  succeeds(await skopeo("inspect", ...told, "--creds", "bob:secret", name));
  const { stdout } = await skopeo("list-tags", ...told, "--creds", "bob:secret", name);
  expect(JSON.parse(stdout)).toEqual({ Repository: `${address}/tls/podman`, Tags: ["latest"] });
});
