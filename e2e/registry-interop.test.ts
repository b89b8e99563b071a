/**
 * Images that others made, and ours for others: Debian's docker-registry and our own, with skopeo, podman and dockerd beside the engine.
 * Indexes of several platforms, OCI's and Docker's types, zstd layers, certificates, credential helpers.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestAuthority } from "./lib/certificates.ts";
import { busyboxArchive } from "./lib/images.ts";
import { useTarget } from "./lib/journey.ts";
import { busyboxLayer, layerOf, writeLayout } from "./lib/oci-layout.ts";
import { Peer } from "./lib/peer.ts";
import { Podman } from "./lib/podman.ts";
import { type RegistryKind, TestRegistries } from "./lib/registries.ts";
import { must, run } from "./lib/run.ts";
import { dockerCli, gantryCommand } from "./lib/settings.ts";

let registries: TestRegistries;
let peer: Peer | undefined;

// Before the target is looked after, which must find nothing left on its network.
afterAll(async () => {
  await peer?.remove();
  await registries?.stop();
}, 60_000);

const target = useTarget();
const kinds: [RegistryKind, string][] = [
  ["docker-registry", "localhost:5951"],
  ["gantry registry", "localhost:5952"],
];
const secured = "localhost:5953";
/** The tag `multi:1` of both registries. */
let index = "";

beforeAll(async () => {
  const { root } = target();
  registries = new TestRegistries(target());
  for (const [kind, address] of kinds) await registries.start(kind, address);
  const base = await busyboxLayer();
  const images = await Promise.all(
    ["amd64", "arm64"].map(async (architecture) => ({
      architecture,
      layers: [base, await layerOf({ platform: architecture })],
      cmd: ["/bin/busybox", "cat", "/platform"],
    })),
  );
  index = writeLayout(join(root, "multi"), "1", images).digest;
  const [single] = images as [(typeof images)[number]];
  writeLayout(join(root, "single"), "1", [single]);
  writeLayout(join(root, "zstd"), "1", [{ ...single, compression: "zstd" }]);
  writeLayout(join(root, "plain"), "1", [{ ...single, compression: "none" }]);
  for (const [, address] of kinds)
    await skopeo("copy", "--all", "--dest-tls-verify=false", `oci:${root}/multi:1`, `docker://${address}/multi:1`);
  peer = new Peer(target());
  await peer.start();
}, 120_000);

const docker = (...args: string[]) => target().must(...args);

function skopeo(...args: string[]): Promise<string> {
  return must(target().host.command(["skopeo", "--insecure-policy", ...args]));
}

const rawDigest = (name: string) =>
  skopeo("inspect", "--tls-verify=false", "--format", "{{.Digest}}", `docker://${name}`);

interface Row {
  RepoTags: string[];
  Descriptor?: { digest: string };
  Manifests?: { Available: boolean; Kind: string; ImageData?: { Platform: { architecture: string } } }[];
}

async function rowOf(name: string): Promise<Row> {
  const rows = (await (await target().api("/v1.51/images/json?manifests=1")).json()) as Row[];
  return rows.find(({ RepoTags }) => RepoTags.includes(name)) as Row;
}

test.each(kinds)("%s: an index is pulled, kept, listed, pushed and copied as such", async (_kind, address) => {
  const name = `${address}/multi:1`;
  await docker("pull", "-q", "--platform", "linux/arm64", name);
  await docker("pull", "-q", name);
  expect(await docker("run", "--rm", "--network", "none", name)).toBe("amd64");
  expect((await rowOf(name)).Descriptor?.digest).toBe(index);
  expect((await rowOf(name)).Manifests?.map(({ Available, Kind }) => [Kind, Available])).toEqual([
    ["image", true],
    ["image", true],
    ["attestation", false],
  ]);
  const archive = join(target().root, "multi.tar");
  await docker("save", "-o", archive, name);
  // The whole index, attestation and all, without a byte of a layer.
  await docker("tag", name, `${address}/promoted:2`);
  expect(await docker("push", `${address}/promoted:2`)).toContain(`2: digest: ${index} `);
  expect(await rawDigest(`${address}/promoted:2`)).toBe(index);
  await docker("rmi", name, `${address}/promoted:2`);
  expect(await docker("images", "-aq", "--filter", `reference=${address}/*`)).toBe("");
  await docker("load", "-i", archive);
  expect((await rowOf(name)).Manifests?.filter(({ Available }) => Available)).toHaveLength(2);
  // Layers that the other registry never saw: what goes there are the platforms that are here.
  const other = kinds.map(([, each]) => each).find((each) => each !== address) as string;
  await docker("tag", name, `${other}/from-archive-${address.slice(-4)}:1`);
  await docker("push", "-q", `${other}/from-archive-${address.slice(-4)}:1`);
  const raw = await skopeo(
    "inspect",
    "--raw",
    "--tls-verify=false",
    `docker://${other}/from-archive-${address.slice(-4)}:1`,
  );
  const { manifests } = JSON.parse(raw) as { manifests: { platform: { architecture: string } }[] };
  expect(manifests.map(({ platform }) => platform.architecture).sort()).toEqual(["amd64", "arm64"]);
  await docker("rmi", name, `${other}/from-archive-${address.slice(-4)}:1`);
});

test.each(kinds)("%s: zstd, Docker's types, and a digest beside a tag", async (_kind, address) => {
  const { root } = target();
  const to = (name: string) => `docker://${address}/${name}:1`;
  const copy = (...args: string[]) => skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", ...args);
  await copy(`oci:${root}/zstd:1`, to("zstd"));
  // skopeo compresses by itself what is not.
  await copy(`oci:${root}/plain:1`, to("gzip"));
  await copy("--format", "v2s2", `oci:${root}/single:1`, to("v2s2"));
  expect(await skopeo("inspect", "--raw", "--tls-verify=false", to("zstd"))).toContain("tar+zstd");
  for (const name of ["zstd", "gzip", "v2s2"]) {
    expect(await docker("run", "--rm", "--network", "none", `${address}/${name}:1`)).toBe("amd64");
    await docker("rmi", `${address}/${name}:1`);
  }
  const digest = await rawDigest(`${address}/multi:1`);
  expect((await docker("pull", `${address}/multi:ignored@${digest}`)).split("\n").at(-1)).toContain(`@${digest}`);
  await docker("rmi", `${address}/multi@${digest}`);
});

test.each(kinds)(
  "%s: dockerd pulls what the engine pushed, and the engine what dockerd pushed",
  async (_kind, address) => {
    const theirs = peer as Peer;
    await docker("tag", "busybox", `${address}/ours:1`);
    await docker("push", "-q", `${address}/ours:1`);
    await theirs.must("pull", "-q", `${address}/ours:1`);
    expect(await theirs.must("inspect", "-f", "{{.Id}}", `${address}/ours:1`)).toBe(
      await docker("inspect", "-f", "{{.Id}}", "busybox"),
    );
    await theirs.must("tag", `${address}/ours:1`, `${address}/back:1`);
    await theirs.must("push", `${address}/back:1`);
    await docker("pull", "-q", `${address}/back:1`);
    expect(await docker("inspect", "-f", "{{.Id}}", `${address}/back:1`)).toBe(
      await docker("inspect", "-f", "{{.Id}}", "busybox"),
    );
    await theirs.must("pull", "-q", `${address}/multi:1`);
    expect(await theirs.must("run", "--rm", "--network", "none", `${address}/multi:1`)).toBe("amd64");
    await theirs.must("import", "-c", 'CMD ["cat","/etc/group"]', await busyboxArchive(), `${address}/theirs:1`);
    await theirs.must("push", `${address}/theirs:1`);
    expect(await docker("run", "--rm", "--network", "none", `${address}/theirs:1`)).toContain("root:x:0:");
    await docker("rmi", `${address}/theirs:1`, `${address}/ours:1`, `${address}/back:1`);
  },
);

test.each(kinds)("%s: podman, both ways, with zstd", async (_kind, address) => {
  const podman = new Podman(target());
  await docker("tag", "busybox", `${address}/for-podman:1`);
  await docker("push", "-q", `${address}/for-podman:1`);
  await podman.must("pull", "-q", "--tls-verify=false", `${address}/for-podman:1`);
  await podman.must("tag", `${address}/for-podman:1`, `${address}/of-podman:1`);
  await podman.must(
    "push",
    "-q",
    "--tls-verify=false",
    "--format",
    "oci",
    "--compression-format",
    "zstd",
    `${address}/of-podman:1`,
  );
  expect(await skopeo("inspect", "--raw", "--tls-verify=false", `docker://${address}/of-podman:1`)).toContain(
    "vnd.oci.image.manifest",
  );
  await docker("rmi", `${address}/for-podman:1`);
  expect(await docker("run", "--rm", "--network", "none", `${address}/of-podman:1`, "echo", "whole")).toBe("whole");
  await docker("rmi", `${address}/of-podman:1`);
  await podman.must("rmi", "-af");
});

test("both CLIs make, show and push the same manifest lists", async () => {
  const { host, root } = target();
  const [, [, address]] = kinds as [unknown, [RegistryKind, string]];
  await skopeo("copy", "--dest-tls-verify=false", `oci:${root}/single:1`, `docker://${address}/one:1`);
  const list = `${address}/list:1`;
  const script = [
    ["inspect", "--insecure", `${address}/multi:1`],
    ["inspect", "--insecure", "-v", `${address}/multi:1`],
    ["inspect", "--insecure", `${address}/none:1`],
    ["create", "--insecure", list, `${address}/multi:1`],
    ["create", "--insecure", list, `${address}/one:1`],
    ["create", "--insecure", list, `${address}/one:1`],
    ["annotate", "--os", "linux", "--arch", "arm", "--variant", "v7", list, `${address}/one:1`],
    ["annotate", "--arch", "wheel", list, `${address}/one:1`],
    ["inspect", "-v", list],
    ["push", "--insecure", list],
    ["inspect", list, `${address}/one:1`],
    ["rm", list, `${address}/none:1`],
  ];
  const play = async (cli: string[], config: string) => {
    const env = { ...target().cliEnvironment, DOCKER_CONFIG: join(root, config), DOCKER_CLI_EXPERIMENTAL: "enabled" };
    const outcomes = [];
    for (const args of script) outcomes.push(await run(host.command([...cli, "manifest", ...args]), { env }));
    return outcomes;
  };
  expect(await play(gantryCommand(), "ours")).toEqual(await play([dockerCli], "theirs"));
});

test("images --tree, as docker draws it", async () => {
  const [, address] = kinds[0] as [RegistryKind, string];
  await docker("pull", "-q", `${address}/multi:1`);
  const env = target().cliEnvironment;
  const tree = await must([...gantryCommand(), "images", "--tree", `${address}/multi`], { env });
  expect(tree).toMatch(/\nlocalhost:5951\/multi:1 +[0-9a-f]{12} .*\n├─ linux\/amd64 +[0-9a-f]{12} /);
});

test("a registry behind certificates of its own, which wants to see the client's", async () => {
  const { root, host } = target();
  const authority = await TestAuthority.create(join(root, "certificates"));
  await authority.sign("server", `subjectAltName=IP:${host.address}`);
  await authority.sign("client", "extendedKeyUsage=clientAuth");
  const address = secured.replace("localhost", host.address);
  const file = (name: string) => authority.file(name);
  const tls = { certificate: file("server.crt"), key: file("server.key"), clientcas: [file("ca.crt")] };
  await registries.start("docker-registry", address, { http: { addr: address, tls } });
  const says = async () => (await target().docker("pull", `${address}/x`)).stderr;
  expect(await says()).toContain("x509: certificate signed by unknown authority");
  // certs.d is the host's own: this registry has an address that no other has.
  const trusted = join("/etc/docker/certs.d", address);
  mkdirSync(trusted, { recursive: true });
  try {
    writeFileSync(join(trusted, "ca.crt"), readFileSync(file("ca.crt")));
    expect(await says()).toContain("remote error: tls: ");
    writeFileSync(join(trusted, "client.cert"), readFileSync(file("client.crt")));
    expect(await says()).toContain("missing key client.key for client certificate client.cert.");
    writeFileSync(join(trusted, "client.key"), readFileSync(file("client.key")));
    await docker("tag", "busybox", `${address}/x:1`);
    await docker("push", "-q", `${address}/x:1`);
    await docker("rmi", `${address}/x:1`);
    await docker("pull", "-q", `${address}/x:1`);
    await docker("rmi", `${address}/x:1`);
  } finally {
    await must(["rm", "-r", trusted]);
  }
});

test("a login goes to the credential helper of its registry, and comes from there", async () => {
  const { root } = target();
  const [, [, address]] = kinds as [unknown, [RegistryKind, string]];
  const bin = join(root, "bin");
  mkdirSync(bin);
  const helper = join(bin, "docker-credential-notes");
  writeFileSync(
    helper,
    `#!/bin/sh
case $1 in
store) cat >"${root}/notes" ;;
get) cat >/dev/null; sed 's/"ServerURL"/"ServerURL"/' "${root}/notes" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) cat >/dev/null; rm -f "${root}/notes" ;;
esac
`,
  );
  chmodSync(helper, 0o755);
  const config = join(root, "helped");
  mkdirSync(config);
  writeFileSync(join(config, "config.json"), JSON.stringify({ credHelpers: { [address]: "notes" } }));
  const env = { ...target().cliEnvironment, DOCKER_CONFIG: config, PATH: `${bin}:${process.env["PATH"]}` };
  for (const cli of [gantryCommand(), [dockerCli]]) {
    expect(await must([...cli, "login", "-u", "ann", "-p", "secret", address], { env })).toContain("Login Succeeded");
    expect(JSON.parse(readFileSync(join(root, "notes"), "utf8"))).toMatchObject({ Username: "ann", Secret: "secret" });
    expect(readFileSync(join(config, "config.json"), "utf8")).not.toContain("secret");
    await must([...cli, "pull", "-q", `${address}/multi:1`], { env });
    await must([...cli, "logout", address], { env });
    expect(await Bun.file(join(root, "notes")).exists()).toBe(false);
  }
});
