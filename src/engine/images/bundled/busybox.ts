/**
 * `gantry/busybox:latest`, made from the host's own static busybox, so that there is something to run without any registry. The same
 * busybox gives the same image id. It is not there until it is pulled: a new engine has no images.
 */
import { readFile, stat } from "node:fs/promises";
import { posix } from "node:path";
import type { ProgressMessage } from "../../../api/system.ts";
import { nowRfc3339Nano } from "../../../base/clock.ts";
import { errorCode, unavailable } from "../../../base/errors.ts";
import type { Digest } from "../../../oci/digest.ts";
import { type ImageConfig, toDockerRunConfig } from "../../../oci/image-config.ts";
import { hostPlatform } from "../../../oci/platform.ts";
import { parseReference } from "../../../oci/reference.ts";
import { tarEnd } from "../archive/tar-write.ts";
import { createImage, type ImageContext, publishImageEvent, tagImage } from "../context.ts";
import { isStatic } from "./elf.ts";
import { entry } from "./tar.ts";

export const bundledBusybox = "gantry/busybox";

const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const passwd = [
  "root:x:0:0:root:/root:/bin/sh",
  "daemon:x:1:1:daemon:/usr/sbin:/bin/false",
  "bin:x:2:2:bin:/bin:/bin/false",
  "sys:x:3:3:sys:/dev:/bin/false",
  "www-data:x:33:33:www-data:/var/www:/bin/false",
  "nobody:x:65534:65534:nobody:/home:/bin/false",
];
const group = [
  "root:x:0:",
  "daemon:x:1:",
  "bin:x:2:",
  "sys:x:3:",
  "adm:x:4:",
  "tty:x:5:",
  "disk:x:6:",
  "wheel:x:10:root",
  "mail:x:8:",
  "www-data:x:33:",
  "users:x:100:",
  "nogroup:x:65534:",
];
const directories: [name: string, mode: number][] = [
  ["bin", 0o755],
  ["dev", 0o755],
  ["etc", 0o755],
  ["home", 0o755],
  ["proc", 0o755],
  ["root", 0o700],
  ["run", 0o755],
  ["sbin", 0o755],
  ["sys", 0o755],
  ["tmp", 0o1777],
  ["usr", 0o755],
  ["usr/bin", 0o755],
  ["usr/sbin", 0o755],
  ["var", 0o755],
  ["var/tmp", 0o1777],
];

/** `docker pull`. Rejects as `ensureBundled` does. */
export async function pullBusybox(context: ImageContext, progress: (message: ProgressMessage) => void): Promise<void> {
  const name = `${bundledBusybox}:latest`;
  const isNew = context.store.findByReference(parseReference(name)) === undefined;
  progress({ status: `Making ${bundledBusybox} of this host's busybox`, id: "latest" });
  const id = await ensureBundled(context);
  publishImageEvent(context, "pull", id, name);
  progress({ status: `Status: ${isNew ? "Downloaded newer image" : "Image is up to date"} for ${name}` });
}

/**
 * Makes the image unless something has its name. Returns its id. Rejects `unavailable` when the host has no busybox or one that needs
 * shared libraries.
 */
export async function ensureBundled(context: ImageContext, busybox = "/bin/busybox"): Promise<Digest> {
  const reference = parseReference(`${bundledBusybox}:latest`);
  const existing = context.store.findByReference(reference);
  if (existing) return existing;
  const { program, mtime } = await readBusybox(busybox);
  using _hold = context.collector.hold();
  const layer = await context.layers.unpack(rootTar(program, await applets(busybox), mtime));
  try {
    const id = await createImage(context, bundledConfig(layer.diffId, mtime));
    tagImage(context, reference, id, nowRfc3339Nano());
    return id;
  } finally {
    context.collector.release([layer.diffId]);
  }
}

function bundledConfig(diffId: Digest, mtime: number): ImageConfig {
  const created = new Date(mtime * 1000).toISOString().replace(".000Z", "Z");
  const { architecture, os, variant } = hostPlatform();
  return {
    architecture,
    config: toDockerRunConfig({ Env: [path], Cmd: ["sh"] }),
    created,
    history: [{ created, created_by: "busybox-static of the host", comment: "bundled with gantry" }],
    os,
    rootfs: { type: "layers", diff_ids: [diffId] },
    ...(variant ? { variant } : {}),
  };
}

async function readBusybox(file: string): Promise<{ program: Buffer; mtime: number }> {
  try {
    const [program, info] = await Promise.all([readFile(file), stat(file)]);
    if (!isStatic(program)) throw unavailable(`${file} needs shared libraries: install busybox-static`);
    return { program, mtime: Math.floor(info.mtimeMs / 1000) };
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    throw unavailable(`${file} is missing: install busybox-static`, { cause: error });
  }
}

/** Paths of the links that this busybox wants, relative to the root. */
async function applets(file: string): Promise<string[]> {
  const child = Bun.spawn([file, "--list-full"], { stdout: "pipe", stderr: "ignore" });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw unavailable(`${file} --list-full failed`);
  const names = text.split("\n").filter((name) => /^(usr\/)?s?bin\/[^/]+$/.test(name) && name !== "bin/busybox");
  return [...new Set(names)].sort();
}

async function* rootTar(program: Buffer, links: string[], mtime: number): AsyncGenerator<Uint8Array> {
  for (const [name, mode] of directories) yield* entry({ name: `${name}/`, flag: "5", mode, mtime });
  yield* entry({ name: "bin/busybox", mode: 0o755, mtime, content: program });
  for (const name of links) {
    yield* entry({ name: posix.normalize(name), flag: "1", mode: 0o755, mtime, linkName: "bin/busybox" });
  }
  yield* entry({ name: "etc/group", mode: 0o644, mtime, content: Buffer.from(`${group.join("\n")}\n`) });
  yield* entry({ name: "etc/passwd", mode: 0o644, mtime, content: Buffer.from(`${passwd.join("\n")}\n`) });
  yield tarEnd();
}
