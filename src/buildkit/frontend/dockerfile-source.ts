/** Where the Dockerfile and the context of a build come from: directories of the client's, an upload of its, Git, a URL. */
import { join } from "node:path";
import { invalidArgument, notFound, prefixed } from "../../base/errors.ts";
import type { Bytes } from "../../base/streams.ts";
import { type BuildContext, type ContextOptions, makeContext, receiveContext } from "../../builder/context/context.ts";
import { parseGitUrl } from "../../builder/context/git.ts";
import { remoteContext } from "../../builder/context/remote-context.ts";
import { readBytes } from "../../buildkit-api/grpc/bytes.ts";
import { parseIgnoreFile } from "../../dockerfile/ignore.ts";
import { readTextInRoot } from "../../linux/resolve.ts";
import type { Progress, StatusProgress, VertexProgress } from "../progress.ts";
import type { LocalSource, LocalSources, ReceivedSource } from "../session/local-sources.ts";
import type { OpenSession, Session } from "../session/session.ts";
import { gitContextSource, openGraph } from "./graph-source.ts";
import type { FrontendOptions } from "./options.ts";

/** Names, as a context's address, the one that comes beside the session. */
export const uploadUrl = "http://buildkit-upload/";

const uploadMethod = "/moby.upload.v1.Upload/Pull";

/** What the client's directories are received with. */
export interface SourceScope {
  session: OpenSession;
  /** The session that has a local source. */
  sessionOf: (source: string) => Promise<Session>;
  locals: LocalSources;
  progress: Progress;
  contextOptions: (dockerfile: string) => ContextOptions;
  signal: AbortSignal;
  /** The context of a client that sends it beside its session. */
  uploaded?: (() => Promise<Bytes>) | undefined;
  /** What is received goes with it. */
  stack: AsyncDisposableStack;
}

/** The Dockerfile's text and, below its name with `.dockerignore`, the patterns of an ignore file of its own. */
export interface DockerfileText {
  text: string;
  ignore: string[] | undefined;
  /** The step that brought it here. */
  vertex: VertexProgress;
}

export async function loadDockerfile(
  scope: SourceScope,
  options: FrontendOptions,
  remote: BuildContext | undefined,
): Promise<DockerfileText> {
  const { filename } = options;
  const vertex = scope.progress.vertex(`[internal] load build definition from ${filename}`);
  if (remote) {
    return { ...readDockerfile(remote.directory, filename), vertex };
  }
  const follow = [filename, `${filename}.dockerignore`, ...(filename === "Dockerfile" ? ["dockerfile"] : [])];
  const source = { name: options.dockerfileSource ?? "dockerfile", keep: false, exclude: [], follow };
  await using received = await prefixed("failed to read dockerfile: ", () =>
    vertex.around(() => receive(scope, source, vertex.status("transferring dockerfile:", "transferring"))),
  );
  return { ...readDockerfile(received.directory, filename), vertex };
}

function readDockerfile(directory: string, filename: string): Omit<DockerfileText, "vertex"> {
  const names = [filename, ...(filename === "Dockerfile" ? ["dockerfile"] : [])];
  const text = names.map((name) => readTextInRoot(directory, `/${name}`)).find((found) => found !== undefined);
  if (text === undefined) {
    throw notFound(`failed to read dockerfile: open ${filename}: no such file or directory`);
  }
  return { text, ignore: readIgnoreFile(directory, `${filename}.dockerignore`) };
}

/** Undefined: there is none. */
function readIgnoreFile(directory: string, name: string): string[] | undefined {
  const text = readTextInRoot(directory, `/${name}`);
  return text === undefined ? undefined : parseIgnoreFile(text);
}

/** Patterns of the ignore file of a local source. `label`: what the step's name begins with. */
export async function loadIgnoreFile(scope: SourceScope, name: string, label = "internal"): Promise<string[]> {
  return scope.progress.vertex(`[${label}] load .dockerignore`).around(async (vertex) => {
    const source = { name, keep: false, exclude: [], follow: [".dockerignore"] };
    await using received = await receive(scope, source, vertex.status(`transferring ${name}:`, "transferring"));
    return readIgnoreFile(received.directory, ".dockerignore") ?? [];
  });
}

/** The context, received at the first call and kept until the build ends. `step`: the name of the step that does it. */
export function localContext(
  scope: SourceScope,
  source: () => Promise<LocalSource>,
  step: string,
): () => Promise<BuildContext> {
  let context: Promise<BuildContext> | undefined;
  const load = async () => {
    const wanted = await source();
    const received = await scope.progress
      .vertex(step)
      .around((vertex) => receive(scope, wanted, vertex.status(`transferring ${wanted.name}:`, "transferring")));
    scope.stack.use(received);
    return { ...received, dockerfile: () => "", [Symbol.asyncDispose]: async () => {} };
  };
  return () => {
    context ??= load();
    return context;
  };
}

/** A context that is no directory of the client's. */
export function openRemote(scope: SourceScope, url: string, options: FrontendOptions): Promise<BuildContext> {
  const contextOptions = scope.contextOptions(options.filename);
  const git = parseGitUrl(url);
  if (git) return openGraph(scope, gitContextSource(url, git), contextOptions, "context");
  return scope.progress
    .vertex("[internal] load remote build context")
    .around(async () =>
      scope.stack.use(
        await prefixed("failed to read downloaded context: failed to load cache key: ", () =>
          receiveRemote(scope, url, contextOptions),
        ),
      ),
    );
}

async function receiveRemote(scope: SourceScope, url: string, options: ContextOptions): Promise<BuildContext> {
  if (url === uploadUrl && scope.uploaded) return receiveContext(await scope.uploaded(), options);
  const upload = /^http:\/\/buildkit-session\/(.*)$/.exec(url)?.[1];
  return upload === undefined ? fromUrl(url, options) : receiveContext(sessionUpload(scope, upload), options);
}

async function fromUrl(url: string, options: ContextOptions): Promise<BuildContext> {
  const found = await remoteContext(url, { ...options, progress: () => undefined });
  if (found.dockerfile === undefined) return found.context;
  const { dockerfile } = found;
  const context = makeContext(options);
  await Bun.write(join(context.directory, options.dockerfile), dockerfile);
  return context;
}

/** What the client uploads under this id. */
async function* sessionUpload({ session, signal }: SourceScope, id: string): AsyncGenerator<Uint8Array> {
  const client = await session();
  if (!client.supports(uploadMethod)) throw invalidArgument("the client cannot upload");
  const call = client.client.open(uploadMethod, { urlpath: `/${id}`, urlhost: "buildkit-session" }, signal);
  call.end();
  yield* readBytes(call.messages);
}

async function receive(
  { locals, sessionOf, signal }: SourceScope,
  source: LocalSource,
  progress: StatusProgress,
): Promise<ReceivedSource> {
  return await locals.receive(await sessionOf(source.name), source, { progress, signal });
}
