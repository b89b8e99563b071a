/** Caches of builds that travel through a registry: what one machine has built, another does not build again. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { onGantryWithBuildx, registryAddress, useTargetWithRegistry } from "./lib/buildx.ts";
import { type Outcome, run } from "./lib/run.ts";
import { dockerCli, gantryCommand, targetKind } from "./lib/settings.ts";

const target = useTargetWithRegistry();
const onGantry = test.if(targetKind === "gantry");
const withBuildx = test.if(onGantryWithBuildx);
const address = registryAddress;

const dockerfile = `FROM busybox AS tools
COPY file /tool
RUN date +%N > /made && cat /tool >> /made
FROM busybox
ENV A=1
COPY --from=tools /made /made
COPY file /file
RUN echo done > /done
`;

async function write(text = "one"): Promise<void> {
  await Bun.write(join(target().root, "work/c/Dockerfile"), dockerfile);
  await Bun.write(join(target().root, "work/c/file"), text);
}

/** A machine that has built nothing. */
async function forget(): Promise<void> {
  const { stdout } = await target().docker("images", "-q", "--filter", "label!=none");
  const images = new Set(stdout.split("\n").filter(Boolean));
  const keep = (await target().must("images", "-q", "busybox")).trim();
  images.delete(keep);
  if (images.size > 0) await target().must("rmi", "-f", ...images);
  await target().must("builder", "prune", "-af");
}

function build(command: string[], ...flags: string[]): Promise<Outcome> {
  const argv = [...command, "build", "--progress=plain", ...flags, "c"];
  return run(argv, { env: target().cliEnvironment, cwd: join(target().root, "work") });
}

/** The steps that were not done again. */
function cached({ stderr }: Outcome): string[] {
  return [...stderr.matchAll(/^#(\d+) CACHED$/gm)].map(([, number]) => {
    return new RegExp(`^#${number} (\\[.*)$`, "m").exec(stderr)?.[1]?.replace(/^\[[^\]]+\] /, "") ?? "";
  });
}

const made = async () => target().must("run", "--rm", "app", "cat", "/made");

onGantry("through a cache of its own, with the steps of all stages", async () => {
  await forget();
  await write();
  const cache = `type=registry,ref=${address}/cache,mode=max`;
  const first = await build(gantryCommand(), "-t", "app", "--cache-to", cache);
  expect(first.stderr).toContain("writing cache image to");
  expect(first.code).toBe(0);
  const result = await made();
  await forget();
  const second = await build(gantryCommand(), "-t", "app", "--cache-from", `${address}/cache`);
  expect(cached(second).sort()).toEqual([
    "COPY --from=tools /made /made",
    "COPY file /file",
    "COPY file /tool",
    "RUN date +%N > /made && cat /tool >> /made",
    "RUN echo done > /done",
  ]);
  expect(await made()).toBe(result);
  // What was taken over is cached here from now on.
  expect(cached(await build(gantryCommand(), "-t", "app"))).toHaveLength(5);

  // Only what a change leaves is taken over.
  await forget();
  await write("two");
  const third = await build(gantryCommand(), "-t", "app", "--cache-from", `type=registry,ref=${address}/cache`);
  expect(cached(third)).toEqual([]);
  expect(await made()).toContain("two");
});

withBuildx("inside the image, by the stock CLI", async () => {
  await forget();
  await write();
  const name = `${address}/app:1`;
  const first = await build([dockerCli], "-t", name, "--push", "--build-arg", "BUILDKIT_INLINE_CACHE=1");
  expect(first.code).toBe(0);
  await forget();
  const second = await build([dockerCli], "-t", "app", "--cache-from", name);
  expect(second.stderr).toContain(`importing cache manifest from ${name}`);
  // The tools' stage is not in the image.
  expect(cached(second)).toContain("RUN echo done > /done");
  await forget();
  const without = await build([dockerCli], "-t", "app", "--cache-from", `${address}/nothing`);
  expect(without.code).toBe(0);
  expect(without.stderr).toMatch(/ERROR: .*not found/);
  expect(cached(without)).toEqual([]);
  const elsewhere = await build([dockerCli], "--cache-to", "type=nowhere");
  expect(elsewhere.code).toBe(1);
  expect(elsewhere.stderr).toContain("cache export to nowhere is not supported");
});

withBuildx("through a directory of the client's", async () => {
  await write("local");
  const stock = [dockerCli];
  const first = await build(stock, "-t", "app", "--cache-to", "type=local,dest=kept,mode=max");
  expect(first.code).toBe(0);
  expect(first.stderr).toContain("exporting cache to client directory");
  const before = await made();
  await forget();
  const second = await build(stock, "-t", "app", "--cache-from", "type=local,src=kept");
  expect(second.code).toBe(0);
  expect(cached(second)).toContain("RUN date +%N > /made && cat /tool >> /made");
  expect(await made()).toBe(before);
  const nothing = await build(stock, "--no-cache", "--cache-from", "type=local,src=nothing");
  expect(nothing.code).toBe(0);
  expect(cached(nothing)).toEqual([]);
});

withBuildx("images in directories of the client's: as outputs, and as contexts", async () => {
  await write("layout");
  const output = await build([dockerCli], "-t", "laid:1", "-o", "type=oci,dest=layout,tar=false");
  expect(output.code).toBe(0);
  const index = JSON.parse(await Bun.file(join(target().root, "work/layout/index.json")).text());
  expect(index.manifests).toHaveLength(1);
  const tag = index.manifests[0].annotations["org.opencontainers.image.ref.name"];
  const from = "FROM base\nRUN cat /file && echo of the layout > /from\n";
  await Bun.write(join(target().root, "work/c/Dockerfile"), from);
  const used = await build([dockerCli], "-t", "upon", "--build-context", `base=oci-layout://./layout:${tag}`);
  expect(used.stderr).toContain("[context base] OCI load from client");
  expect(used.code).toBe(0);
  expect(await target().must("run", "--rm", "upon", "cat", "/from", "/file")).toBe("of the layout\nlayout");
  await Bun.write(join(target().root, "work/c/Dockerfile"), "FROM scratch\nCOPY --from=base /file /\n");
  const copied = await build([dockerCli], "-o", "copied", "--build-context", `base=oci-layout://./layout:${tag}`);
  expect(copied.code).toBe(0);
  expect(await Bun.file(join(target().root, "work/copied/file")).text()).toBe("layout");
});
