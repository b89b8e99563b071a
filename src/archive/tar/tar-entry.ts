/** What a tar archive holds. Names are raw strings (src/linux/files.ts): one character for one byte. */

export type EntryType = "file" | "hardlink" | "symlink" | "character" | "block" | "directory" | "fifo";

/** A stretch of a sparse file that holds data; between them it reads as zeros. */
export interface DataRange {
  offset: number;
  length: number;
}

export interface TarEntry {
  name: string;
  type: EntryType;
  /** Target of a hard or symbolic link. */
  linkName: string;
  /** Permission bits with setuid, setgid and sticky. */
  mode: number;
  uid: number;
  gid: number;
  /** Length of the file when it is unpacked, in bytes; 0 for everything but files. */
  size: number;
  /** Seconds since 1970, and nanoseconds of the fraction. */
  mtime: number;
  mtimeNanos: number;
  deviceMajor: number;
  deviceMinor: number;
  xattrs: ReadonlyMap<string, Uint8Array>;
  /** Of a sparse file; the archive holds just these, one after the other. */
  ranges?: DataRange[];
}

/** What takes the entries of a tree one by one: an archive, or a layer in the making. */
export interface EntrySink {
  /** An entry without content. A directory's name must end in a slash. */
  add(entry: TarEntry): void;
  /**
   * A file and its content. One that shrinks meanwhile is filled up with zeros, one that grows is cut.
   * `blocks`: what it takes on disk, in units of 512 bytes.
   */
  addFile(entry: TarEntry, descriptor: number, blocks: number): void;
  /** After the last entry. */
  end(): void;
}

export const blockSize = 512;

/** Bytes of padding after content of this length. */
export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}
