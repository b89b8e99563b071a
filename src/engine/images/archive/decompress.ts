/** A whole image archive that came compressed, as a plain stream; the work is done by a child process. */
import { decompressionError, decompressor, detectCompression } from "../../../archive/compression.ts";
import { peek } from "../../../archive/read-archive.ts";
import { type Bytes, collectText } from "../../../base/streams.ts";

/** Passes a plain archive through as it is. */
export async function decompressed(source: Bytes, signal: AbortSignal): Promise<Bytes> {
  const { head, whole } = await peek(source);
  const kind = detectCompression(head);
  return kind === "none" ? whole : filter(kind, whole, signal);
}

async function* filter(
  kind: Parameters<typeof decompressor>[0],
  source: Bytes,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const child = Bun.spawn(decompressor(kind), { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
  const kill = () => child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  try {
    const feeding = feed(source, child.stdin).catch((error: unknown) => {
      kill();
      return error;
    });
    const said = collectText(child.stderr);
    yield* child.stdout;
    const inputError = await feeding;
    if (inputError !== undefined) throw inputError;
    // gzip's 2 is a warning: garbage after the end.
    if ((await child.exited) !== 0 && !(kind === "gzip" && child.exitCode === 2)) {
      throw decompressionError(kind, await said);
    }
  } finally {
    signal.removeEventListener("abort", kill);
    kill();
  }
}

async function feed(source: Bytes, sink: Bun.FileSink): Promise<undefined> {
  for await (const chunk of source) {
    sink.write(chunk);
    await sink.flush();
  }
  await sink.end();
}
