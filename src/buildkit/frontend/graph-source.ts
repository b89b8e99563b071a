/**
 * Graphs (LLB) that say where files come from: a Git repository or a URL, as a whole or one directory of it. `buildx bake URL` reads its
 * definition from one and gives it to its builds as their context. Source: moby/buildkit client/llb/source.go, solver/pb/ops.proto.
 */
import { join } from "node:path";
import { invalidArgument, notImplemented } from "../../base/errors.ts";
import { type BuildContext, type ContextOptions, makeContext } from "../../builder/context/context.ts";
import { checkOut, type GitSource, gitReference } from "../../builder/context/git.ts";
import { download, gitContext } from "../../builder/context/remote-context.ts";
import { type Definition, type FileCopy, type Op, op } from "../../buildkit-api/protocol/messages.ts";
import { resolveInRoot } from "../../linux/resolve.ts";
import { digestOf } from "../../oci/digest.ts";
import type { Progress } from "../progress.ts";
import { secretOf } from "../session/services.ts";
import type { OpenSession } from "../session/session.ts";

export interface GraphSource {
  /** What progress calls it. */
  readonly name: string;
  readonly origin: GitOrigin | HttpOrigin;
  /** The directory that is meant, from the origin's root. */
  readonly directory: string;
}

interface GitOrigin {
  kind: "git";
  source: GitSource;
  /** The client's secrets: a token, and a whole header, which comes first. */
  token: string;
  header: string;
}

interface HttpOrigin {
  kind: "http";
  url: string;
  filename: string;
}

/** Undefined: the graph begins with something else. Throws `not-implemented` for a graph that does more than name files. */
export function graphSource({ def, metadata }: Definition): GraphSource | undefined {
  const ops = new Map(def.map((bytes) => [digestOf(bytes) as string, op.decode(bytes)]));
  const follow = ({ inputs = [] }: Op, at = 0): [string, Op] => {
    const digest = inputs[at]?.digest ?? "";
    const found = ops.get(digest);
    if (!found) throw invalidArgument(`the graph has no operation ${digest}`);
    return [digest, found];
  };
  const last = def.at(-1);
  if (last === undefined) return undefined;
  let [digest, current] = follow(op.decode(last));
  const copies: FileCopy[] = [];
  for (; current.file; [digest, current] = follow(current)) copies.unshift(copyOf(current));
  if (!current.source) throw notImplemented("builds of raw graphs (LLB) are not supported: only sources of files are");
  const origin = originOf(current.source);
  if (!origin) return undefined;
  const name = metadata[digest]?.description["llb.customname"] ?? "[internal] load remote source";
  return { name, origin, directory: join("/", ...copies.map(({ src }) => src)) };
}

/** Of a file operation that takes a directory's content and nothing else. */
function copyOf({ inputs = [], file }: Op): FileCopy {
  const copy = file?.actions[0]?.copy;
  const plain =
    copy &&
    file.actions.length === 1 &&
    inputs.length === 1 &&
    (copy.dest === "/" || copy.dest === "") &&
    copy.include_patterns.length === 0 &&
    copy.exclude_patterns.length === 0 &&
    copy.dirCopyContents;
  if (!plain)
    throw notImplemented("builds of raw graphs (LLB) are not supported: only copies of whole directories are");
  return copy;
}

function originOf({ identifier, attrs }: NonNullable<Op["source"]>): GraphSource["origin"] | undefined {
  if (identifier.startsWith("git://")) return gitOrigin(identifier, attrs);
  if (!/^https?:\/\//.test(identifier)) return undefined;
  return { kind: "http", url: identifier, filename: attrs["http.filename"] || "context" };
}

/** The identifier has host, path and fragment of the address, an attribute the rest. */
function gitOrigin(identifier: string, attrs: Readonly<Record<string, string>>): GitOrigin {
  const [, address = "", fragment = ""] = /^git:\/\/([^#]*)#?(.*)$/s.exec(identifier) ?? [];
  const url = attrs["git.fullurl"] || `https://${address}`;
  if (!/^((https?|git|ssh):\/\/|git@)/.test(url)) throw invalidArgument(`${url} is no address of a Git repository`);
  return {
    kind: "git",
    source: {
      ...{ url, ...gitReference(fragment), checksum: attrs["git.checksum"] || undefined },
      keepGitDirectory: attrs["git.keepgitdir"] === "true",
      submodules: attrs["git.skipsubmodules"] !== "true",
    },
    token: attrs["git.authtokensecret"] ?? "",
    header: attrs["git.authheadersecret"] ?? "",
  };
}

/** A repository as a context, with the client's secrets of the usual names. */
export function gitContextSource(url: string, source: GitSource): GraphSource {
  const secrets = { token: "GIT_AUTH_TOKEN", header: "GIT_AUTH_HEADER" };
  const origin: GitOrigin = { kind: "git", source, ...secrets };
  return { name: `[internal] load git source ${url}`, origin, directory: "/" };
}

/** What is needed of a build. What is opened goes with its stack. */
interface GraphScope {
  session: OpenSession;
  progress: Progress;
  stack: AsyncDisposableStack;
}

/** The files, for as long as the scope's stack lasts. As a context, without what its own ignore file names. */
export function openGraph(
  scope: GraphScope,
  { name, origin, directory }: GraphSource,
  options: ContextOptions,
  use: "context" | "files",
): Promise<BuildContext> {
  return scope.progress.vertex(name).around(async () => {
    const opened = scope.stack.use(
      origin.kind === "git"
        ? await openGit(origin, { ...scope, directory, options, use })
        : await openHttp(origin, options),
    );
    if (origin.kind === "git" || directory === "/") return opened;
    return { ...opened, directory: resolveInRoot(opened.directory, directory), [Symbol.asyncDispose]: async () => {} };
  });
}

async function openGit(
  { source, token, header }: GitOrigin,
  {
    session,
    directory,
    options,
    use,
  }: { session: OpenSession; directory: string; options: ContextOptions; use: string },
): Promise<BuildContext> {
  const authorization = await authorizationFor(source.url, { token, header }, session, options.signal);
  const whole = { ...source, subdirectory: join(source.subdirectory, directory), authorization };
  if (use === "context") return await gitContext(whole, options);
  const checkout = await checkOut(whole, { ...options, keepGitDirectory: false });
  return { ...checkout, dockerfile: () => "", [Symbol.asyncDispose]: () => checkout[Symbol.asyncDispose]() };
}

/** What the client's secrets say to the server of a repository; they may be named for it (`GIT_AUTH_TOKEN.example.org`). */
async function authorizationFor(
  url: string,
  { token, header }: { token: string; header: string },
  session: OpenSession,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!/^https?:\/\//.test(url)) return undefined;
  const { host } = new URL(url);
  const secret = async (id: string) => {
    if (id === "") return undefined;
    const client = await session();
    for (const name of [`${id}.${host}`, id]) {
      const value = await secretOf(client, name, signal);
      if (value !== undefined) return Buffer.from(value).toString();
    }
    return undefined;
  };
  const whole = await secret(header);
  if (whole !== undefined) return `Authorization: ${whole}`;
  const password = await secret(token);
  if (password === undefined) return undefined;
  return `Authorization: basic ${Buffer.from(`x-access-token:${password}`).toString("base64")}`;
}

async function openHttp({ url, filename }: HttpOrigin, options: ContextOptions): Promise<BuildContext> {
  const response = await download(url, options.signal);
  const context = makeContext(options);
  await Bun.write(join(context.directory, filename.replaceAll("/", "_")), response);
  return context;
}
