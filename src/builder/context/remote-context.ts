/** `remote=`: a Git repository, an archive or a Dockerfile at a URL. moby: builder/remotecontext/detect.go */
import { runChild } from "../../archive/run-child.ts";
import { errorMessage, invalidArgument } from "../../base/errors.ts";
import type { Bytes } from "../../base/streams.ts";
import { readTextInRoot } from "../../linux/resolve.ts";
import { type BuildContext, type ContextOptions, makeContext, receiveContext } from "./context.ts";
import { checkOut, parseGitUrl } from "./git.ts";

const maxDockerfile = 16 << 20;

/** `dockerfile`: the text, when the URL was one of a Dockerfile alone. */
export async function remoteContext(
  url: string,
  options: ContextOptions & { progress: (text: string) => void },
): Promise<{ context: BuildContext; dockerfile?: string }> {
  const git = parseGitUrl(url);
  if (git) {
    const checkout = await checkOut(git, { ...options, keepGitDirectory: false });
    const { dockerfile } = options;
    await runChild("__archive", { verb: "ignore-context", directory: checkout.directory, dockerfile }, options.signal);
    const text = () => {
      const found = readTextInRoot(checkout.directory, `/${dockerfile}`);
      if (found === undefined) throw invalidArgument(`Cannot locate specified Dockerfile: ${dockerfile}`);
      return found;
    };
    return {
      context: {
        directory: checkout.directory,
        dockerfile: text,
        [Symbol.asyncDispose]: () => checkout[Symbol.asyncDispose](),
      },
    };
  }
  if (!/^https?:\/\//.test(url)) throw invalidArgument(`remoteURL (${url}) could not be recognized as URL`);
  options.progress(`Downloading build context from remote url: ${url}\n`);
  const response = await download(url, options.signal);
  const type = response.headers.get("content-type")?.split(";")[0] ?? "";
  if (type === "text/plain") {
    const text = await response.text();
    if (text.length > maxDockerfile) throw invalidArgument(`the Dockerfile at ${url} is too long`);
    return { context: makeContext(options), dockerfile: text };
  }
  return { context: await receiveContext((response.body ?? new ReadableStream()) as Bytes, options) };
}

export async function download(url: string, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw invalidArgument(`Get ${JSON.stringify(url)}: ${errorMessage(error)}`, { cause: error });
  }
  if (!response.ok) {
    throw invalidArgument(`failed to GET ${url} with status ${response.status} ${response.statusText}`.trim());
  }
  return response;
}
