/** Sources of ADD that are URLs: fetched into a directory of their own before they are copied. moby: builder/dockerfile/copy.go */
import { createHash } from "node:crypto";
import { mkdtempSync, utimesSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename, join } from "node:path";
import { invalidArgument } from "../../base/errors.ts";
import type { CopySource } from "./copy-files.ts";
import { checkOut, parseGitUrl } from "./git.ts";
import { download } from "./remote-context.ts";

export interface RemoteFiles extends AsyncDisposable {
  sources: CopySource[];
}

export interface RemoteOptions {
  /** Directory for what is fetched. */
  parent: string;
  /** With a slash at its end it needs files with names. */
  destination: string;
  /** `sha256:…` of the one URL. */
  checksum: string | undefined;
  keepGitDirectory: boolean;
  signal: AbortSignal;
  /** Takes a directory away at once, and deletes it later. */
  discard(directory: string): void;
}

export function isUrl(source: string): boolean {
  return /^https?:\/\//.test(source) || parseGitUrl(source) !== undefined;
}

export async function remoteFiles(urls: readonly string[], options: RemoteOptions): Promise<RemoteFiles> {
  await using stack = new AsyncDisposableStack();
  const sources: CopySource[] = [];
  const common = { literal: true, preserve: false, extract: false };
  for (const url of urls) {
    const git = parseGitUrl(url);
    if (git) {
      const checksum = options.checksum ?? git.checksum;
      if (git.checksum !== undefined && checksum !== git.checksum) {
        throw invalidArgument(`checksum mismatch ${JSON.stringify(checksum)} != ${JSON.stringify(git.checksum)}`);
      }
      const checkout = stack.use(await checkOut({ ...git, checksum }, options));
      sources.push({ ...common, root: checkout.directory, paths: ["/"] });
    } else {
      const directory = mkdtempSync(join(options.parent, "add-"));
      stack.defer(() => options.discard(directory));
      sources.push({ ...common, root: directory, paths: [await fetchFile(url, directory, options)] });
    }
  }
  const kept = stack.move();
  return { sources, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** Returns the file's name. Mode 0600, and the time that the server gives. */
async function fetchFile(url: string, directory: string, options: RemoteOptions): Promise<string> {
  const response = await download(url, options.signal);
  const name = fileName(url, response);
  if (name === "" && options.destination.endsWith("/")) {
    throw invalidArgument(`cannot determine filename for source ${url}`);
  }
  const path = join(directory, name || "__unnamed__");
  const hash = createHash("sha256");
  const file = await open(path, "wx", 0o600);
  try {
    for await (const chunk of response.body ?? []) {
      hash.update(chunk);
      await file.writeFile(chunk);
    }
  } finally {
    await file.close();
  }
  const digest = `sha256:${hash.digest("hex")}`;
  if (options.checksum !== undefined && options.checksum !== digest) {
    throw invalidArgument(`digest mismatch ${digest}: ${options.checksum}`);
  }
  const modified = Date.parse(response.headers.get("last-modified") ?? "");
  const seconds = Number.isNaN(modified) ? 0 : modified / 1000;
  utimesSync(path, seconds, seconds);
  return basename(path);
}

function fileName(url: string, response: Response): string {
  const { pathname } = new URL(url);
  if (!pathname.endsWith("/")) return safeName(decodeURIComponent(basename(pathname)));
  const [, quoted, plain] =
    /filename=(?:"([^"]*)"|([^;\s]*))/i.exec(response.headers.get("content-disposition") ?? "") ?? [];
  return safeName(basename(quoted ?? plain ?? ""));
}

function safeName(name: string): string {
  return name === "." || name === ".." || name.includes("/") || name.includes("\0") ? "" : name;
}
