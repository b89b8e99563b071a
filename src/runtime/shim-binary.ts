/**
 * Where the shim's executable is. A self-contained executable carries it inside; the kernel can only run files, so it is written out once per
 * version. From source, or beside the executable in `build/`, the built file itself is used.
 */
import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { unavailable } from "../base/errors.ts";
import { isCompiled } from "../base/self.ts";

const fileName = "gantry-shim";

/**
 * The path of a shim that can be run. `directory` (the daemon's own, on a filesystem that allows execution) receives the carried one; it may
 * be called again and by several daemons at once. Throws `unavailable` when there is no shim.
 */
export async function shimPath(directory: string): Promise<string> {
  const beside = isCompiled()
    ? join(dirname(process.execPath), fileName)
    : fileURLToPath(new URL(`../../build/${fileName}`, import.meta.url));
  if (existsSync(beside)) return beside;
  const carried = Bun.embeddedFiles.find((file) => "name" in file && String(file.name).startsWith(fileName));
  if (!carried) throw unavailable(`the shim is missing: no ${beside} (build it with: make shim)`);
  return writeOut(new Uint8Array(await carried.arrayBuffer()), directory);
}

/** Named by its content: a running container's shim is never overwritten by another version. */
export function writeOut(content: Uint8Array, directory: string): string {
  const hash = new Bun.CryptoHasher("sha256").update(content).digest("hex").slice(0, 16);
  const path = join(directory, `${fileName}-${hash}`);
  if (existsSync(path)) return path;
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, content);
  chmodSync(temporary, 0o755);
  renameSync(temporary, path);
  return path;
}
