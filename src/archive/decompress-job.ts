/** Decompression by Bun itself, where the program is missing. */
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { errorMessage, invalidArgument } from "../base/errors.ts";

export interface DecompressJob {
  verb: "decompress";
  kind: "gzip" | "zstd";
}

export async function decompress({ kind }: DecompressJob): Promise<void> {
  const filter = kind === "gzip" ? createGunzip({ chunkSize: 1 << 18 }) : createZstdDecompress({ chunkSize: 1 << 18 });
  try {
    await pipeline(createReadStream("", { fd: 0, highWaterMark: 1 << 18 }), filter, createWriteStream("", { fd: 1 }));
  } catch (error) {
    throw invalidArgument(errorMessage(error), { cause: error });
  }
}
