/** A directory of the host as a tar archive and back, by child processes that make it their root first. */
import type { Bytes } from "../../base/streams.ts";
import { startChild } from "../processes/run-child.ts";
import { readArchive } from "../read-archive.ts";

/** The directory's tree as it is, rooted at `./`. */
export function packDirectory(directory: string, signal: AbortSignal): Bytes {
  return startChild("__archive", { verb: "directory-pack", directory }, { stdout: "stream", signal }).output;
}

/** As `packDirectory`, to an open descriptor. */
export async function packDirectoryTo(directory: string, descriptor: number, signal: AbortSignal): Promise<void> {
  await startChild("__archive", { verb: "directory-pack", directory }, { stdout: descriptor, signal }).result;
}

/** Fills a directory from an archive of any compression, whose `./` gives it owner and mode. Returns the bytes of its files. */
export async function unpackDirectory(directory: string, archive: Bytes, signal: AbortSignal): Promise<number> {
  const job = { verb: "directory-unpack", directory };
  const result = await readArchive(
    archive,
    (stdin, either) => startChild("__archive", job, { stdin, signal: either }).result,
    signal,
  );
  return (result as { size: number }).size;
}
