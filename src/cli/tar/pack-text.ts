/** A file that is only in memory, in front of another archive. */
import { encodeHeader, paddingOf } from "./tar-format.ts";

export async function* packText(
  name: string,
  content: Buffer,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield encodeHeader({
    name,
    type: "file",
    linkName: "",
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: content.length,
    mtime: Math.floor(Date.now() / 1000),
    deviceMajor: 0,
    deviceMinor: 0,
  });
  yield content;
  yield Buffer.alloc(paddingOf(content.length));
  yield* rest;
}
