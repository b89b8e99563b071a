/** The few entries of tar archives that bundled images consist of. */
import { entryHeader, tarPadding } from "../archive/tar-write.ts";

export interface Entry {
  readonly name: string;
  /** `0` a file, `1` a hard link, `2` a symbolic link, `5` a directory. */
  readonly flag?: string;
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly linkName?: string;
  readonly content?: Buffer;
}

export function* entry({ name, flag = "0", mode, mtime, linkName, content }: Entry): Generator<Uint8Array> {
  const size = content?.length ?? 0;
  yield entryHeader(name, size, mtime, flag, mode, linkName);
  if (content) yield* [content, tarPadding(size)];
}
