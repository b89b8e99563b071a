/** An archive gzipped to a file by child processes, so that its digest is known before it is sent anywhere. */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { canceled, internal } from "../base/errors.ts";
import { type Bytes, collectText } from "../base/streams.ts";
import { makePipe } from "../linux/pipe.ts";
import { type Digest, Digester } from "../oci/digest.ts";

/** igzip (package isal) compresses several times as fast as gzip, to about the same size. Neither writes names or times. */
const compressors = [
  ["igzip", "-cn", "-3"],
  ["gzip", "-cn", "-6"],
];

/** `write` writes the archive to a descriptor. The file must not be there yet; the same program gives the same bytes each time. */
export async function gzipToFile(
  path: string,
  write: (descriptor: number) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const argv = compressors.find(([program]) => Bun.which(program as string)) as string[] | undefined;
  if (!argv) throw internal('exec: "gzip": executable file not found in $PATH');
  const file = await open(path, "wx", 0o600);
  try {
    using pipe = makePipe();
    const child = Bun.spawn(argv, { stdin: pipe.readEnd, stdout: file.fd, stderr: "pipe", signal });
    const said = collectText(child.stderr);
    // The child sees the end of the archive only when nobody holds the writing end any more.
    const written = await write(pipe.writeEnd).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    pipe[Symbol.dispose]();
    const code = await child.exited;
    if (signal.aborted) throw canceled("context canceled");
    if (written) throw written.error;
    if (code !== 0) throw internal(`${argv[0]}: ${(await said).trim()}`);
  } finally {
    await file.close();
  }
}

export async function digestFile(path: string, signal: AbortSignal): Promise<{ digest: Digest; size: number }> {
  const digester = new Digester();
  let size = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal }) as Bytes) {
    digester.update(chunk);
    size += chunk.length;
  }
  return { digest: digester.digest(), size };
}
