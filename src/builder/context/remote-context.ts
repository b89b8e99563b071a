/** `remote=`: a Git repository, an archive or a Dockerfile at a URL. moby: builder/remotecontext/detect.go */
import { detectCompression } from "../../archive/compression.ts";
import { runChild } from "../../archive/processes/run-child.ts";
import { peek } from "../../archive/read-archive.ts";
import { blockSize } from "../../archive/tar/tar-entry.ts";
import { invalidArgument } from "../../base/errors.ts";
import { type Bytes, bodyOf, collect } from "../../base/streams.ts";
import { connectionProblem } from "../../remote/connection-problem.ts";
import { type BuildContext, type ContextOptions, makeContext, readDockerfile, receiveContext } from "./context.ts";
import { checkOut, type GitSource, parseGitUrl } from "./git.ts";

const maxDockerfile = 16 << 20;

/** `dockerfile`: the text, when the URL was one of a Dockerfile alone. */
export async function remoteContext(
  url: string,
  options: ContextOptions & { progress: (text: string) => void },
): Promise<{ context: BuildContext; dockerfile?: string }> {
  const git = parseGitUrl(url);
  if (git) return { context: await gitContext(git, options) };
  if (!/^https?:\/\//.test(url)) throw invalidArgument(`remoteURL (${url}) could not be recognized as URL`);
  options.progress(`Downloading build context from remote url: ${url}\n`);
  const response = await download(url, options.signal);
  const { head, whole } = await peek(bodyOf(response), blockSize);
  const problem = `error detecting content type for remote ${url}: `;
  if (head.length === 0) throw invalidArgument(`${problem}empty response`);
  const given = response.headers.get("content-type") ?? "";
  const type = acceptable.exec(given === "" || given === "application/octet-stream" ? detect(head) : given)?.[0];
  if (type === undefined) throw invalidArgument(`${problem}unsupported Content-Type ${JSON.stringify(given)}`);
  if (type !== "text/plain") return { context: await receiveContext(whole, options) };
  return { context: makeContext(options), dockerfile: await readText(whole, url) };
}

const acceptable = /application\/(?:(?:x-)?tar|octet-stream|(?:x-)?(?:gzip|bzip2?|xz))|text\/plain/;

/** As much as a tar header, in which there are zeros. Servers give files without an extension no type, or this one. */
function detect(head: Uint8Array): string {
  return detectCompression(head) === "none" && !head.some((byte) => byte < 9)
    ? "text/plain"
    : "application/octet-stream";
}

async function readText(body: Bytes, url: string): Promise<string> {
  try {
    return Buffer.from(await collect(body, maxDockerfile)).toString();
  } catch (cause) {
    if (cause instanceof RangeError) throw invalidArgument(`the Dockerfile at ${url} is too long`, { cause });
    throw cause;
  }
}

/** What a build sees of a checkout: without what its ignore file names. */
export async function gitContext(source: GitSource, options: ContextOptions): Promise<BuildContext> {
  const checkout = await checkOut(source, { ...options, keepGitDirectory: false });
  const { directory } = checkout;
  const { dockerfile, signal } = options;
  try {
    await runChild("__archive", { verb: "ignore-context", directory, dockerfile }, signal);
  } catch (error) {
    await checkout[Symbol.asyncDispose]();
    throw error;
  }
  return {
    directory,
    dockerfile: () => readDockerfile(directory, dockerfile),
    [Symbol.asyncDispose]: () => checkout[Symbol.asyncDispose](),
  };
}

export async function download(url: string, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw invalidArgument(`Get ${JSON.stringify(url)}: ${connectionProblem(error, url)}`, { cause: error });
  }
  if (!response.ok) {
    const said = (await response.text().catch(() => "")).slice(0, 4096).trim();
    throw invalidArgument(`failed to GET ${url} with status ${response.status} ${response.statusText}: ${said}`);
  }
  return response;
}
