/**
 * `gantry/registry:latest`, so that a registry of one's own is one command: this very program with the shared libraries that it runs on, on
 * top of `gantry/busybox`. It is not there until it is pulled, which makes it: that takes a moment, and most daemons never need it.
 */
import { readFileSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { ProgressMessage } from "../../../api/system.ts";
import { nowRfc3339Nano } from "../../../base/clock.ts";
import { unavailable } from "../../../base/errors.ts";
import { isCompiled } from "../../../base/self.ts";
import type { Digest } from "../../../oci/digest.ts";
import { type ImageConfig, toDockerRunConfig } from "../../../oci/image-config.ts";
import { hostPlatform } from "../../../oci/platform.ts";
import { familiarString, parseReference } from "../../../oci/reference.ts";
import { tarEnd } from "../archive/tar-write.ts";
import { createImage, type ImageContext, publishImageEvent, tagImage } from "../context.ts";
import { ensureBundled } from "./busybox.ts";
import { interpreterOf } from "./elf.ts";
import { entry } from "./tar.ts";

export const bundledRegistry = "gantry/registry";
const program = "usr/bin/gantry";
const data = "/var/lib/registry";

/** Makes the image, or finds that this program's is here. Rejects `unavailable` when this program is not an executable of its own. */
export async function makeRegistry(context: ImageContext, progress: (message: ProgressMessage) => void): Promise<void> {
  if (!isCompiled())
    throw unavailable(`${bundledRegistry} is made of the built executable, and this is not one: make build`);
  const reference = parseReference(`${bundledRegistry}:latest`);
  progress({ status: `Making ${bundledRegistry} of this gantry`, id: "latest" });
  using _hold = context.collector.hold();
  const base = context.store.config(await ensureBundled(context));
  const layer = await context.layers.unpack(registryTar(process.execPath));
  try {
    const before = context.store.findByReference(reference);
    const id = await createImage(context, registryConfig(base, layer.diffId, context.version));
    tagImage(context, reference, id, nowRfc3339Nano());
    publishImageEvent(context, "pull", id, familiarString(reference));
    const status = before === id ? "Image is up to date" : "Downloaded newer image";
    progress({ status: `Status: ${status} for ${familiarString(reference)}` });
  } finally {
    context.collector.release([layer.diffId]);
  }
}

function registryConfig(base: ImageConfig, diffId: Digest, version: string): ImageConfig {
  const created = base.created ?? "1970-01-01T00:00:00Z";
  const { architecture, os, variant } = hostPlatform();
  const environment = [`GANTRY_REGISTRY_ROOT=${data}`, "GANTRY_REGISTRY_LISTEN=:5000"];
  return {
    architecture,
    config: toDockerRunConfig({
      ...{
        Env: [...(base.config?.Env ?? []), ...environment],
        Entrypoint: [`/${program}`, "registry"],
        Cmd: ["serve"],
      },
      ...{ ExposedPorts: { "5000/tcp": {} }, Volumes: { [data]: {} }, StopSignal: "SIGTERM" },
    }),
    created,
    history: [...(base.history ?? []), { created, created_by: `gantry ${version}`, comment: "bundled with gantry" }],
    os,
    rootfs: { type: "layers", diff_ids: [...base.rootfs.diff_ids, diffId] },
    ...(variant ? { variant } : {}),
  };
}

/** The executable, and at the same places as here what it is linked with. */
async function* registryTar(executable: string): AsyncGenerator<Uint8Array> {
  const mtime = Math.floor((await stat(executable)).mtimeMs / 1000);
  const made = new Set<string>(["bin", "etc", "root", "run", "tmp", "usr", "usr/bin"]);
  const content = await readFile(executable);
  yield* entry({ name: program, mode: 0o755, mtime, content });
  const interpreter = interpreterOf(content);
  for (const path of [...sharedLibraries(), ...(interpreter === undefined ? [] : [interpreter])]) {
    for (const directory of parents(path.slice(1)).filter((each) => !made.has(each))) {
      made.add(directory);
      yield* entry({ name: `${directory}/`, flag: "5", mode: 0o755, mtime });
    }
    yield* entry({ name: path.slice(1), mode: 0o755, mtime, content: await readFile(path) });
  }
  for (const directory of parents(`${data.slice(1)}/x`).filter((each) => !made.has(each))) {
    yield* entry({ name: `${directory}/`, flag: "5", mode: 0o755, mtime });
  }
  yield tarEnd();
}

/** `a/b/c` → `a`, `a/b` */
function parents(path: string): string[] {
  const directory = dirname(path);
  return directory === "." ? [] : [...parents(directory), directory];
}

/** What the kernel says is mapped into this process, the dynamic linker included. */
function sharedLibraries(): string[] {
  const maps = readFileSync("/proc/self/maps", "utf8");
  const paths = maps.matchAll(/ (\/\S+\/(?:lib[^/\s]*|ld-[^/\s]*)\.so[^/\s]*)$/gm);
  return [...new Set([...paths].map((match) => match[1] ?? ""))].sort();
}
