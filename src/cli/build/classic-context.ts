/** What `build` sends to the classic builder: a folder without what its ignore file leaves out, standard input, or only the address of a context elsewhere. */
import { readFileSync, statSync } from "node:fs";
import { relative, resolve } from "node:path";
import type { Bytes } from "../../base/streams.ts";
import { IgnoreMatcher, parseIgnoreFile } from "../../dockerfile/ignore.ts";
import type { CliContext } from "../context.ts";
import { type Choice, packTree } from "../tar/pack.ts";
import { packText } from "../tar/pack-text.ts";
import {
  contextDirectory,
  isRemote,
  missingDockerfile,
  readDockerfile,
  refuseTwiceStandardInput,
  standardInput,
} from "./source.ts";

export interface BuildInput {
  body: Bytes | undefined;
  remote: string;
  dockerfile: string;
}

export async function contextOf(context: CliContext, source: string, file: string): Promise<BuildInput> {
  refuseTwiceStandardInput(source, file);
  if (isRemote(source)) return { body: undefined, remote: source, dockerfile: file || "Dockerfile" };
  if (source !== "-") return localContext(source, file);
  const { archive, text } = await standardInput(context.stdin.stream());
  const end = (async function* () {
    yield Buffer.alloc(1024);
  })();
  return { body: archive ?? packText("Dockerfile", text, end), remote: "", dockerfile: file || "Dockerfile" };
}

/** The Dockerfile may lie outside the context: it then goes along under a name of its own. */
function localContext(source: string, file: string): BuildInput {
  const directory = contextDirectory(source);
  const path = file === "" ? resolve(directory, "Dockerfile") : resolve(file);
  const inside = relative(directory, path);
  if (inside === "" || inside.startsWith("..")) {
    const dockerfile = `.dockerfile.${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
    return { body: packText(dockerfile, readDockerfile(path), contextTree(directory, "")), remote: "", dockerfile };
  }
  if (!statSync(path, { throwIfNoEntry: false })) throw missingDockerfile(path);
  return { body: contextTree(directory, inside), remote: "", dockerfile: inside };
}

/** `dockerfile`: its path in the context, or "". */
function contextTree(directory: string, dockerfile: string): Bytes {
  const choose = chooser(ignorePatterns(directory, dockerfile), dockerfile);
  return packTree(Buffer.from(directory).toString("latin1"), ".", choose);
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
