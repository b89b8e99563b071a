/** A tree of files copied with all that it has: owners, modes, times, links, holes, extended attributes. */
import { canceled, internal } from "../../base/errors.ts";

export interface CopyOptions {
  /** What an error's message begins with. */
  failure: string;
  signal?: AbortSignal | undefined;
}

/**
 * Copies what is in `source`, and its own attributes, to the directory `target`. Blocks are shared with the source where the file
 * system can do that (FICLONE), which takes no time and no space. coreutils' cp does the work, outside of this process.
 */
export async function copyTree(source: string, target: string, { failure, signal }: CopyOptions): Promise<void> {
  await runTool(["cp", "-a", "-T", "--reflink=auto", "--", source, target], { failure, signal });
}

/** Resolves when all that was written to the file system that holds `path` is on its disk. */
export async function syncFileSystem(path: string): Promise<void> {
  await runTool(["sync", "-f", "--", path], { failure: `cannot write ${path} to its disk` });
}

async function runTool(argv: string[], { failure, signal }: CopyOptions): Promise<void> {
  const child = Bun.spawn(argv, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const stop = () => child.kill("SIGKILL");
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted) stop();
  const [message, code] = await Promise.all([child.stderr.text(), child.exited]);
  signal?.removeEventListener("abort", stop);
  if (signal?.aborted) throw canceled("context canceled");
  if (code !== 0) throw internal(`${failure}: ${message.trim() || `${argv[0]} exited with ${code}`}`);
}
