/** Builds for several platforms at once: indexes here, in registries and archives, directories for each, and what cannot run. */
import { beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { onGantryWithBuildx, registryAddress, useTargetWithRegistry } from "./lib/buildx.ts";
import { must, type Outcome, run } from "./lib/run.ts";
import { dockerCli, gantryCommand, targetKind } from "./lib/settings.ts";

const target = useTargetWithRegistry();
const onGantry = test.if(targetKind === "gantry");
// dockerd's own image store keeps no index, and buildx does not ask it for one.
const withBuildx = test.if(onGantryWithBuildx);
const work = (...path: string[]) => join(target().root, "work", ...path);

beforeAll(async () => {
  const dockerfile = [
    "FROM --platform=$BUILDPLATFORM busybox AS tools",
    "RUN date +%N > /once",
    "FROM tools AS build",
    "ARG TARGETPLATFORM BUILDPLATFORM",
    'RUN echo "$BUILDPLATFORM for $TARGETPLATFORM" > /made',
    "FROM scratch",
    "COPY --from=build /made /once /",
    "COPY file /",
    'CMD ["x"]',
  ];
  await Bun.write(work("c/Dockerfile"), dockerfile.join("\n"));
  await Bun.write(work("c/file"), "of the context");
});

const platforms = "linux/amd64,linux/arm64,linux/arm/v7";

function docker(...args: string[]): Promise<Outcome> {
  return run([dockerCli, ...args], { env: target().cliEnvironment, cwd: work() });
}

function gantry(...args: string[]): Promise<Outcome> {
  return run([...gantryCommand(), ...args], { env: target().cliEnvironment, cwd: work() });
}

/** A manifest or blob of the registry's: `NAME/manifests/REFERENCE`. */
function fetched(path: string, accept = "*/*"): Promise<Outcome> {
  return target().host.run("curl", "-sf", "-H", `Accept: ${accept}`, `http://${registryAddress}/v2/${path}`);
}

async function build(...args: string[]): Promise<Outcome> {
  const built = await docker("build", "--platform", platforms, ...args, "c");
  if (built.code !== 0) throw new Error(built.stderr);
  return built;
}

/** The platform of the image that a name means for a platform. */
async function platformOf(name: string, platform: string): Promise<string> {
  const [os, architecture, variant] = platform.split("/");
  const wanted = encodeURIComponent(JSON.stringify({ os, architecture, variant }));
  const answer = await target().api(`/images/${name}/json?platform=${wanted}`);
  const { Os, Architecture, Variant } = (await answer.json()) as Record<string, string>;
  return [Os, Architecture, Variant].filter(Boolean).join("/");
}

const text = (path: string) => Bun.file(work(path)).text();

withBuildx("an index under the name, with what each platform's build has made; the registry gets it", async () => {
  const { stderr } = await build("--progress=plain", "-t", "several", "-t", `${registryAddress}/several`);
  for (const line of [
    '[linux/amd64->arm64 build 1/1] RUN echo "linux/amd64 for linux/arm64" > /made',
    '[linux/amd64->arm/v7 build 1/1] RUN echo "linux/amd64 for linux/arm/v7" > /made',
    "[linux/amd64 build 1/1] RUN",
    "[linux/arm64 stage-2 1/2] COPY --from=build /made /once /",
    "exporting manifest list",
  ])
    expect(stderr).toContain(line);
  for (const platform of platforms.split(",")) {
    expect(await platformOf("several", platform)).toBe(platform);
  }
  await target().must("push", "-q", `${registryAddress}/several`);
  await target().must("rmi", "several", `${registryAddress}/several`);
  for (const platform of platforms.split(",")) {
    await target().must("pull", "-q", "--platform", platform, `${registryAddress}/several`);
    const created = await target().must("create", "--platform", platform, `${registryAddress}/several`);
    await target().must("cp", `${created}:/made`, work("got"));
    expect(await text("got")).toBe(`linux/amd64 for ${platform}\n`);
    await target().must("rm", created);
  }
});

withBuildx("a push from the build tells the digest that the registry knows", async () => {
  const output = `type=image,name=${registryAddress}/direct,push=true`;
  await build("-q", "-o", output, "--metadata-file", "metadata");
  const { "containerimage.digest": digest } = JSON.parse(await text("metadata")) as Record<string, string>;
  const found = await fetched(`direct/manifests/${digest}`, "application/vnd.oci.image.index.v1+json");
  const { manifests } = JSON.parse(found.stdout) as { manifests: { platform: { architecture: string } }[] };
  expect(manifests.map(({ platform }) => platform.architecture)).toEqual(["amd64", "arm64", "arm"]);
});

withBuildx(
  "provenance lies beside the image, here, in archives and in a registry, about the manifest that is there",
  async () => {
    const name = `${registryAddress}/attested`;
    await build(
      "-q",
      "--provenance",
      "mode=max",
      "-t",
      name,
      "--build-arg",
      "SECRETLESS=1",
      "-o",
      "type=image,push=true",
      "--metadata-file",
      "md",
    );
    const { "containerimage.digest": pushed } = JSON.parse(await text("md")) as Record<string, string>;
    const attested = async (path: string) => JSON.parse((await fetched(`attested/${path}`)).stdout);
    const { manifests } = (await attested(`manifests/${pushed}`)) as {
      manifests: { digest: string; platform: { architecture: string }; annotations?: Record<string, string> }[];
    };
    expect(manifests.map(({ platform }) => platform.architecture)).toEqual([
      "amd64",
      "arm64",
      "arm",
      ...Array(3).fill("unknown"),
    ]);
    for (const [at, { digest, annotations }] of manifests.slice(3).entries()) {
      const image = manifests[at]?.digest as string;
      expect(annotations).toEqual({
        "vnd.docker.reference.digest": image,
        "vnd.docker.reference.type": "attestation-manifest",
      });
      const { layers } = (await attested(`manifests/${digest}`)) as {
        layers: { mediaType: string; digest: string }[];
      };
      expect(layers[0]?.mediaType).toBe("application/vnd.in-toto+json");
      const said = await attested(`blobs/${layers[0]?.digest}`);
      expect(said.predicateType).toBe("https://slsa.dev/provenance/v0.2");
      expect(said.subject[0].digest.sha256).toBe(image.slice("sha256:".length));
      expect(said.predicate.invocation.parameters.args["build-arg:SECRETLESS"]).toBe("1");
    }
    // It is kept with the name, also by the next daemon, and of one image as well.
    const single = `${registryAddress}/single`;
    expect((await docker("build", "-q", "--provenance", "mode=min", "-t", single, "c")).code).toBe(0);
    await target().stopDaemon();
    await target().startDaemon();
    await target().must("push", "-q", single);
    const list = await fetched("single/manifests/latest");
    expect((JSON.parse(list.stdout) as { manifests: unknown[] }).manifests).toHaveLength(2);
    await build("-q", "--provenance", "mode=min", "-o", "type=oci,dest=attested.tar,name=laid:1");
    const index = await must(["tar", "-xOf", work("attested.tar"), "index.json"]);
    const [{ digest = "" } = {}] = (JSON.parse(index) as { manifests: { digest: string }[] }).manifests;
    const inner = await must(["tar", "-xOf", work("attested.tar"), `blobs/sha256/${digest.slice("sha256:".length)}`]);
    expect((JSON.parse(inner) as { manifests: unknown[] }).manifests).toHaveLength(6);
    await target().must("load", "-q", "-i", work("attested.tar"));
    // Without a wish, none.
    const plain = await docker("build", "-q", "-t", "plain", "c");
    expect(plain.stdout.trim()).toBe(await target().must("inspect", "-f", "{{.Id}}", "plain"));
    const refused = await docker("build", "--sbom=true", "c");
    expect(refused.stderr).toContain("SBOM attestations (--sbom) are not supported");
    await build("-q", "--provenance=mode=min", "-o", "said");
    const local = JSON.parse(await text("said/linux_arm64/provenance.json"));
    expect(local.subject.map(({ name }: { name: string }) => name)).toEqual(["file", "made", "once"]);
    const { sha256 } = local.subject[0].digest as { sha256: string };
    expect(sha256).toBe(new Bun.CryptoHasher("sha256").update("of the context").digest("hex"));
  },
);

// buildx does not ask a docker driver for it.
onGantry("a push by digest leaves no name, here or there", async () => {
  const output = (name: string) => `type=image,name=${name},push-by-digest=true,name-canonical=true,push=true`;
  const name = `${registryAddress}/nameless`;
  for (const [at, platform] of ["linux/amd64", "linux/amd64,linux/arm64"].entries()) {
    const flags = ["--platform", platform, "-o", output(name), "--metadata-file", `nameless${at}`];
    const built = await gantry("build", "-q", ...flags, "c");
    expect(built.stderr).toBe("");
    const { "containerimage.digest": digest } = JSON.parse(await text(`nameless${at}`)) as Record<string, string>;
    const manifest = JSON.parse((await fetched(`nameless/manifests/${digest}`)).stdout) as { manifests?: unknown[] };
    expect(manifest.manifests?.length ?? 1).toBe(at + 1);
    expect((await fetched("nameless/manifests/latest")).code).not.toBe(0);
  }
  expect(await target().must("images", "-q", name)).toBe("");
  const tagged = await gantry("build", "-o", output(`${name}:1`), "c");
  expect(tagged.stderr).toContain("can't push tagged ref");
});

withBuildx("directories, archives, and one file that was made once for all", async () => {
  await build("-q", "-o", "out");
  expect(await text("out/linux_arm64/made")).toBe("linux/amd64 for linux/arm64\n");
  expect(await text("out/linux_arm_v7/file")).toBe("of the context");
  const once = await text("out/linux_amd64/once");
  expect(await text("out/linux_arm64/once")).toBe(once);
  await build("-q", "-o", "type=tar,dest=out.tar");
  const listed = (await must(["tar", "-tf", work("out.tar")])).split("\n");
  expect(listed).toContain("linux_arm_v7/made");
  await build("-q", "-t", "archive:1", "-o", "type=oci,dest=oci.tar");
  await target().must("load", "-q", "-i", work("oci.tar"));
  expect(await platformOf("archive:1", "linux/arm64")).toBe("linux/arm64");
  // Nothing of what was mounted for it stays.
  expect(await Bun.file("/proc/self/mountinfo").text()).not.toContain("platforms-");
});

onGantry("a directory of the client's is received once for all platforms", async () => {
  await Bun.write(work("named/file"), "named");
  await Bun.write(work("once/Dockerfile"), "FROM scratch\nCOPY --from=dir file /\n");
  const flags = ["--progress=plain", "--platform", "linux/amd64,linux/arm64", "--build-context", "dir=named"];
  const built = await gantry("build", ...flags, "-o", "received", "once");
  expect(await text("received/linux_arm64/file")).toBe("named");
  expect(built.stderr.match(/\[context dir\] load from client/g)).toHaveLength(1);
});

onGantry("gantry build does so, too, and says what cannot run here", async () => {
  const built = await gantry("build", "-q", "--platform", "linux/amd64,linux/arm64", "-o", "own", "c");
  expect(built.stderr).toBe("");
  expect(await text("own/linux_arm64/made")).toBe("linux/amd64 for linux/arm64\n");
  const busybox = new Uint8Array(await Bun.file("/bin/busybox").arrayBuffer());
  // The ELF header's machine: 183 is arm64.
  busybox[18] = 183;
  await Bun.write(work("foreign/sh"), busybox);
  await Bun.write(work("foreign/Dockerfile"), "FROM scratch\nCOPY --chmod=755 sh /bin/sh\nRUN uname -m\n");
  const failed = await gantry("build", "--progress=plain", "--platform", "linux/amd64,linux/arm64", "foreign");
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain("exec /bin/sh: exec format error");
  expect(failed.stderr).toContain('process "/bin/sh -c uname -m" did not complete successfully: exit code: 1');
});
