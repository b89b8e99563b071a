/** The child's side of a directory as an archive: whole, with what the directory itself has (`./`), its links never followed. */
import * as files from "../../linux/files.ts";
import { ByteSink } from "../byte-sink.ts";
import { ByteSource } from "../byte-source.ts";
import { enterRoot } from "../processes/confine.ts";
import { Packer } from "../tar/pack.ts";
import { TarReader } from "../tar/tar-reader.ts";
import { TarWriter } from "../tar/tar-writer.ts";
import { Unpacker } from "../tar/unpack.ts";
import { packTree } from "./tree-jobs.ts";

export interface DirectoryJob {
  verb: "directory-pack" | "directory-unpack";
  directory: string;
}

/** The archive goes to stdout. */
export function directoryPack({ directory }: DirectoryJob): void {
  enterRoot(directory);
  const writer = new TarWriter(new ByteSink(1));
  const stat = files.lstat("/");
  if (stat) packTree(new Packer(writer), "/", ".", stat, new Set());
  writer.end();
}

/** The plain archive comes from stdin. Returns the bytes of the files. */
export function directoryUnpack({ directory }: DirectoryJob): { size: number } {
  enterRoot(directory);
  const reader = new TarReader(new ByteSource(0));
  const unpacker = new Unpacker({ base: "/", whiteouts: false, noOverwriteDirNonDir: false, ownBase: true });
  unpacker.run(reader);
  reader.drain();
  return { size: unpacker.size };
}
