/** The few entries of tar archives that bundled images consist of. */
import { writeHeader } from "../../../archive/tar/tar-header.ts";

const block = 512;

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

/** Root's. */
export function* entry({ name, flag = "0", mode, mtime, linkName = "", content }: Entry): Generator<Uint8Array> {
  const size = content?.length ?? 0;
  const header = Buffer.alloc(block);
  const owner = { uid: 0, gid: 0, deviceMajor: 0, deviceMinor: 0 };
  writeHeader(header, 0, { ...owner, name, linkName, flag, mode, mtime, size });
  yield header;
  if (!content) return;
  yield content;
  yield Buffer.alloc((block - (size % block)) % block);
}

/** What an archive ends with. */
export const end: Uint8Array = Buffer.alloc(2 * block);
