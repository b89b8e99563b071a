/**
 * Where the programs in C are: the shim, and the library that spares crun another (shim/no-systemd.c). A self-contained executable carries
 * them inside; the kernel can only run files, so they are written out once per version. From source, or beside the executable in
 * `build/`, the built files themselves are used.
 */
import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { unavailable } from "../base/errors.ts";
import { isCompiled } from "../base/self.ts";

type Carried = "gantry-shim" | "gantry-relay" | "gantry-no-systemd.so";

/**
 * The path of a shim that can be run. `directory` (the daemon's own, on a filesystem that allows execution) receives the carried one; it may
 * be called again and by several daemons at once. Throws `unavailable` when there is no shim.
 */
export function shimPath(directory: string): Promise<string> {
  return carriedPath("gantry-shim", directory);
}

/** As `shimPath`, of the program that carries large bodies (shim/relay.c). */
export function relayPath(directory: string): Promise<string> {
  return carriedPath("gantry-relay", directory);
}

/** As `shimPath`, of the library. */
export function noSystemdPath(directory: string): Promise<string> {
  return carriedPath("gantry-no-systemd.so", directory);
}

async function carriedPath(name: Carried, directory: string): Promise<string> {
  const beside = isCompiled()
    ? join(dirname(process.execPath), name)
    : fileURLToPath(new URL(`../../build/${name}`, import.meta.url));
  if (existsSync(beside)) return beside;
  const carried = Bun.embeddedFiles.find((file) => "name" in file && String(file.name).startsWith(name));
  if (!carried) throw unavailable(`${name} is missing: no ${beside} (build it with: make shim)`);
  return writeOut(name, new Uint8Array(await carried.arrayBuffer()), directory);
}

/** Named by its content: a running container's shim is never overwritten by another version. */
export function writeOut(name: Carried, content: Uint8Array, directory: string): string {
  const hash = new Bun.CryptoHasher("sha256").update(content).digest("hex").slice(0, 16);
  const path = join(directory, `${name}-${hash}`);
  if (existsSync(path)) return path;
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, content);
  chmodSync(temporary, 0o755);
  renameSync(temporary, path);
  return path;
}
