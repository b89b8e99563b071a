/**
 * Git repositories as contexts and as sources of ADD: `URL#REF:SUBDIRECTORY`. Source: docker build reference, "Git repositories";
 * moby builder/remotecontext/git. The clone is shallow where the server allows it.
 */
import { mkdtempSync, statSync } from "node:fs";
import { join } from "node:path";
import { invalidArgument } from "../../base/errors.ts";
import { splitOnce } from "../../base/text.ts";
import { resolveInRoot } from "../../linux/resolve.ts";
import { parseGitQuery } from "./git-query.ts";

export interface GitSource {
  url: string;
  ref: string;
  subdirectory: string;
  /** What the commit's id must begin with. */
  checksum?: string | undefined;
  /** False: submodules are left out. */
  submodules?: boolean | undefined;
  /** True: `.git` is part of the files. */
  keepGitDirectory?: boolean | undefined;
  /** A header for requests of that server: `Authorization: …`. */
  authorization?: string | undefined;
}

/** Undefined: not the address of a Git repository. */
export function parseGitUrl(text: string): GitSource | undefined {
  const [address = "", fragment = ""] = splitOnce(text, "#");
  const [place = "", query = ""] = splitOnce(address, "?");
  const isGit =
    /^(git|ssh):\/\//.test(place) ||
    /^git@/.test(place) ||
    /^github\.com\//.test(place) ||
    (/^https?:\/\//.test(place) && /\.git$/.test(place));
  if (!isGit) return undefined;
  const url = place.startsWith("github.com/") ? `https://${place}` : place;
  return { url, ...parseGitQuery(query, gitReference(fragment)) };
}

/** `REF:SUBDIRECTORY`. */
export function gitReference(fragment: string): Pick<GitSource, "ref" | "subdirectory"> {
  const [ref = "", subdirectory = ""] = splitOnce(fragment, ":");
  // What begins with a dash would be an option of git's.
  if (ref.startsWith("-")) throw invalidArgument(`invalid refspec: ${ref}`);
  return { ref, subdirectory };
}

export interface Checkout extends AsyncDisposable {
  /** The subdirectory that was asked for. */
  directory: string;
}

export interface CheckoutOptions {
  /** Directory for the repository. */
  parent: string;
  keepGitDirectory: boolean;
  signal: AbortSignal;
  /** Takes a directory away at once, and deletes it later. */
  discard(directory: string): void;
}

export async function checkOut(
  source: GitSource,
  { parent, signal, discard, ...options }: CheckoutOptions,
): Promise<Checkout> {
  const { url, ref, subdirectory, checksum, authorization } = source;
  const root = mkdtempSync(join(parent, "git-"));
  const dispose = async () => discard(root);
  try {
    const config = authorization === undefined ? {} : headerFor(url, authorization);
    const git = (...args: string[]) => run(root, args, config, signal);
    await git("init", "-q");
    await git("remote", "add", "origin", url);
    const wanted = ref || "HEAD";
    try {
      await git("fetch", "-q", "--depth", "1", "--no-tags", "origin", wanted);
      await git("checkout", "-q", "FETCH_HEAD");
    } catch {
      // Servers that do not give single commits, and old ones that do not give shallow clones.
      await git("fetch", "-q", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*");
      await git("checkout", "-q", ...(ref === "" ? ["FETCH_HEAD"] : [await known(git, ref)]));
    }
    if (checksum !== undefined) compare(checksum, (await git("rev-parse", "HEAD")).trim());
    if (source.submodules !== false) {
      await git("submodule", "--quiet", "update", "--init", "--recursive", "--depth", "1");
    }
    if (!(source.keepGitDirectory ?? options.keepGitDirectory)) discard(join(root, ".git"));
    return { directory: within(root, subdirectory), [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function compare(checksum: string, commit: string): void {
  if (!/^[a-fA-F0-9]+$/.test(checksum)) {
    throw invalidArgument(`invalid checksum ${checksum} for Git URL, expected hex commit hash`);
  }
  if (!commit.startsWith(checksum)) {
    throw invalidArgument(`expected checksum to match ${checksum}, got ${commit}`);
  }
}

/** A link in the repository may lead elsewhere in it, not out of it. */
function within(root: string, subdirectory: string): string {
  let directory: string;
  try {
    directory = resolveInRoot(root, `/${subdirectory}`);
  } catch (error) {
    throw invalidArgument(`error setting git context, ${subdirectory}: no such file or directory`, { cause: error });
  }
  if (!statSync(directory).isDirectory()) {
    throw invalidArgument(`error setting git context, not a directory: ${subdirectory}`);
  }
  return directory;
}

async function known(git: (...args: string[]) => Promise<string>, ref: string): Promise<string> {
  for (const name of [ref, `origin/${ref.replace(/^refs\/heads\//, "")}`]) {
    const found = await git("rev-parse", "--verify", "--quiet", `${name}^{commit}`).catch(() => "");
    if (found !== "") return found.trim();
  }
  throw invalidArgument(`error fetching: fatal: couldn't find remote ref ${ref}`);
}

/** Git's configuration by variables: what stands in a command line can be seen by all of the machine. For one server: modules come from others. */
function headerFor(url: string, header: string): Record<string, string> {
  return {
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: `http.${new URL(url).origin}/.extraheader`,
    GIT_CONFIG_VALUE_0: header,
  };
}

/** Asks nobody for a password, and reads nobody's configuration. */
async function run(
  directory: string,
  args: string[],
  config: Record<string, string>,
  signal: AbortSignal,
): Promise<string> {
  const child = Bun.spawn(["git", "-c", "protocol.file.allow=never", ...args], {
    cwd: directory,
    env: {
      ...config,
      PATH: process.env["PATH"],
      HOME: directory,
      GIT_TERMINAL_PROMPT: "0",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_PROTOCOL_FROM_USER: "0",
      GIT_SSH_COMMAND: "ssh -o BatchMode=yes",
      ...pick("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSH_AUTH_SOCK"),
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    signal,
  });
  const [out, said, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  signal.throwIfAborted();
  if (code !== 0) throw invalidArgument(`error fetching: ${said.trim()}: exit status ${code}`);
  return out;
}

function pick(...names: string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}
