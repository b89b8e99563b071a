/** What `build` sends to the classic builder: a folder without what its ignore file leaves out, standard input, or only the address of a context elsewhere. */
import { readFileSync, statSync } from "node:fs";
import { relative, resolve } from "node:path";
import type { Bytes } from "../../base/streams.ts";
import { IgnoreMatcher, parseIgnoreFile } from "../../dockerfile/ignore.ts";
import { CliError } from "../command.ts";
import type { CliContext } from "../context.ts";
import { type Choice, packTree } from "../tar/pack.ts";
import { packText } from "../tar/pack-text.ts";

export interface BuildInput {
  body: Bytes | undefined;
  remote: string;
  dockerfile: string;
}

export async function contextOf(context: CliContext, source: string, file: string): Promise<BuildInput> {
  if (isRemote(source)) return { body: undefined, remote: source, dockerfile: file || "Dockerfile" };
  if (source !== "-") return localContext(source, file);
  if (file === "-") throw new CliError("invalid argument: can't use stdin for both build context and dockerfile");
  const { archive, text } = await standardInput(context.stdin.stream());
  const end = (async function* () {
    yield Buffer.alloc(1024);
  })();
  return { body: archive ?? packText("Dockerfile", text, end), remote: "", dockerfile: file || "Dockerfile" };
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

/** The Dockerfile may lie outside the context: it then goes along under a name of its own. */
function localContext(source: string, file: string): BuildInput {
  const directory = resolve(source);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new CliError(`unable to prepare context: path ${JSON.stringify(source)} not found`);
  }
  const path = file === "" ? resolve(directory, "Dockerfile") : resolve(file);
  const inside = relative(directory, path);
  if (inside === "" || inside.startsWith("..")) {
    const dockerfile = `.dockerfile.${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
    return { body: packText(dockerfile, readDockerfile(path), contextTree(directory, "")), remote: "", dockerfile };
  }
  if (!statSync(path, { throwIfNoEntry: false })) throw missing(path);
  return { body: contextTree(directory, inside), remote: "", dockerfile: inside };
}

/** `dockerfile`: its path in the context, or "". */
function contextTree(directory: string, dockerfile: string): Bytes {
  const choose = chooser(ignorePatterns(directory, dockerfile), dockerfile);
  return packTree(Buffer.from(directory).toString("latin1"), ".", choose);
}

export function readDockerfile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    throw missing(path);
  }
}

function missing(path: string): CliError {
  const where = `unable to evaluate symlinks in Dockerfile path: lstat ${path}`;
  return new CliError(`unable to prepare context: ${where}: no such file or directory`);
}

function ignorePatterns(directory: string, dockerfile: string): string[] {
  for (const name of [`${dockerfile}.dockerignore`, ".dockerignore"]) {
    try {
      return parseIgnoreFile(readFileSync(resolve(directory, name), "utf8"));
    } catch {
      // There is none.
    }
  }
  return [];
}

/** The daemon needs the Dockerfile and the ignore file even when they are not to be copied; it takes them out itself. */
function chooser(patterns: string[], dockerfile: string): (path: string) => Choice {
  const latin1 = (text: string) => Buffer.from(text).toString("latin1");
  const matcher = new IgnoreMatcher(patterns.map(latin1));
  const kept = [latin1(dockerfile), ".dockerignore", `${latin1(dockerfile)}.dockerignore`];
  return (path) => {
    if (kept.includes(path) || !matcher.matches(path)) return "pack";
    return matcher.mayHoldExceptions(path) || kept.some((name) => name.startsWith(`${path}/`)) ? "look" : "skip";
  };
}
