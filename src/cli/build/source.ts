/** What a build's command line names as its source: a directory, an address, standard input, and the Dockerfile beside it. */
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Bytes } from "../../base/streams.ts";
import { CliError } from "../command.ts";

/** Throws a CliError. */
export function refuseTwiceStandardInput(source: string, file: string): void {
  if (source !== "-" || file !== "-") return;
  throw new CliError("invalid argument: can't use stdin for both build context and dockerfile");
}

/** Its path from the root. Throws a CliError for what is no directory. */
export function contextDirectory(source: string): string {
  const directory = resolve(source);
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return directory;
  throw new CliError(`unable to prepare context: path ${JSON.stringify(source)} not found`);
}

/** Whether the daemon fetches it. */
export function isRemote(source: string): boolean {
  return /^(https?:\/\/|git:\/\/|ssh:\/\/|git@|github\.com\/)/.test(source);
}

/** A tar archive of any compression; anything else is a Dockerfile without a context. */
export async function standardInput(
  input: Bytes,
): Promise<{ archive: Bytes; text?: undefined } | { archive?: undefined; text: Buffer }> {
  const iterator = input[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let next = await iterator.next();
  let size = 0;
  for (; !next.done && size < 512; next = await iterator.next()) {
    chunks.push(next.value);
    size += next.value.length;
  }
  if (size === 0) throw new CliError("failed to peek context header from STDIN: EOF");
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield* chunks;
    for (; !next.done; next = await iterator.next()) yield next.value;
  }
  if (looksLikeArchive(Buffer.concat(chunks))) return { archive: whole() };
  return { text: Buffer.concat(await Array.fromAsync(whole())) };
}

function looksLikeArchive(head: Buffer): boolean {
  const magics = ["1f8b08", "28b52ffd", "fd377a585a00", "425a68"];
  const hex = head.subarray(0, 6).toString("hex");
  return magics.some((magic) => hex.startsWith(magic)) || head.toString("latin1", 257, 262) === "ustar";
}

export function readDockerfile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    throw missingDockerfile(path);
  }
}

export function missingDockerfile(path: string): CliError {
  const where = `unable to evaluate symlinks in Dockerfile path: lstat ${path}`;
  return new CliError(`unable to prepare context: ${where}: no such file or directory`);
}
