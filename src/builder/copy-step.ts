/** COPY and ADD: files of the context, of an image or another stage, of heredocs, URLs and Git, brought into a fresh snapshot. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, posix } from "node:path";
import type { ContainerConfig } from "../api/container-config.ts";
import { parseMode } from "../archive/file-mode.ts";
import { EngineError, invalidArgument, withPrefix } from "../base/errors.ts";
import type { CopyInstruction } from "../dockerfile/instructions.ts";
import type { Digest } from "../oci/digest.ts";
import {
  type CopyRequest,
  type CopySource,
  copyArchive,
  copyFiles,
  type PreparedCopy,
  prepareCopy,
} from "./context/copy-files.ts";
import { isUrl, remoteFiles } from "./context/remote-files.ts";
import { commentConfig } from "./describe.ts";
import { resolveOwner } from "./owner.ts";
import type { StageBuild } from "./stage-build.ts";

export class CopyStep {
  private readonly build: StageBuild;
  private readonly copy: CopyInstruction;
  private readonly name: "ADD" | "COPY";

  constructor(build: StageBuild, copy: CopyInstruction) {
    this.build = build;
    this.copy = copy;
    this.name = copy.kind === "add" ? "ADD" : "COPY";
  }

  async execute(): Promise<void> {
    const { build, copy, name } = this;
    await using stack = new AsyncDisposableStack();
    const request = await this.request(stack);
    const prepared = await prefixed(`${name} failed: `, () => prepareCopy(request, build.scope.scanners));
    if (prepared.count > 1 && !request.destination.endsWith("/")) {
      throw invalidArgument(
        `When using ${name} with more than one source file, the destination must be a directory and end with a /`,
      );
    }
    const flags = [
      copy.chown === undefined ? "" : `--chown=${copy.chown} `,
      copy.chmod === undefined ? "" : `--chmod=${copy.chmod} `,
    ].join("");
    const comment = [`#(nop) ${name} ${flags}${prepared.digest} in ${copy.destination} `];
    const options = [
      request.parents,
      request.exclude,
      request.sources.map(({ extract }) => extract),
      request.destination,
    ];
    const containerConfig = commentConfig(build.config, comment);
    await build.reach([comment, build.config, build.state.author, options], containerConfig, () =>
      this.bring(prepared, containerConfig),
    );
  }

  private async bring(prepared: PreparedCopy, containerConfig: ContainerConfig): Promise<Digest> {
    const { build, copy } = this;
    const { sources, layers, images, signal } = build.scope;
    const { image } = build.state;
    using _held = images.hold();
    const below = image === undefined ? undefined : sources.root(image);
    const owner = copy.chown === undefined ? undefined : resolveOwner(below, copy.chown);
    const archive = await prefixed("failed to copy files: ", async () =>
      copyArchive(prepared, { target: below, owner, signal }),
    );
    if (archive) return build.image(containerConfig, await layers.unpack(archive, { signal }));
    return build.change(containerConfig, (target) =>
      prefixed("failed to copy files: ", () => copyFiles(prepared, { target, owner, signal })),
    );
  }

  private async request(stack: AsyncDisposableStack): Promise<CopyRequest> {
    const { copy, build, name } = this;
    // Refused before anything is looked at.
    if (copy.chmod !== undefined) parseMode(copy.chmod);
    const urls = copy.sources.filter(isUrl);
    if (urls.length > 0 && name === "COPY") throw invalidArgument("COPY failed: source can't be a URL for COPY");
    if (copy.checksum !== undefined && (urls.length !== 1 || copy.sources.length !== 1)) {
      throw invalidArgument("checksum requires exactly one source that is a URL");
    }
    const paths = copy.sources.filter((source) => !urls.includes(source));
    const remote = stack.use(
      await remoteFiles(urls, {
        parent: build.scope.work,
        destination: copy.destination,
        checksum: copy.checksum,
        keepGitDirectory: copy.keepGitDir,
        signal: build.scope.signal,
      }),
    );
    return {
      name,
      sources: [
        ...(paths.length > 0 ? [await this.local(paths)] : []),
        ...(copy.heredocs.length > 0 ? [this.inline(stack)] : []),
        ...remote.sources,
      ],
      destination: destinationPath(build.config.WorkingDir, copy.destination),
      mode: copy.chmod,
      parents: copy.parents,
      exclude: copy.exclude,
    };
  }

  private async local(paths: string[]): Promise<CopySource> {
    const { copy, build, name } = this;
    const { scope } = build;
    const common = { paths, literal: false, extract: name === "ADD" && copy.unpack !== false };
    if (copy.from === undefined) return { ...common, root: scope.context.directory, preserve: false };
    const from = copy.from;
    const image = await prefixed(`invalid from flag value ${from}: `, () => build.imageOf(from));
    if (image === undefined) throw invalidArgument(`${name} failed: stage ${from} has no files`);
    return { ...common, root: scope.sources.root(image), preserve: true };
  }

  /** Heredocs as files of a directory. */
  private inline(stack: AsyncDisposableStack): CopySource {
    const root = mkdtempSync(join(this.build.scope.work, "inline-"));
    stack.defer(() => rm(root, { recursive: true, force: true }));
    for (const { name, content } of this.copy.heredocs) {
      writeFileSync(join(root, name.replaceAll("/", "_")), content, { mode: 0o644 });
    }
    const paths = this.copy.heredocs.map(({ name }) => name.replaceAll("/", "_"));
    return { root, paths, literal: true, preserve: false, extract: false };
  }
}

/** Absolute; a trailing slash, or a `.`, says that it is a directory. */
function destinationPath(workingDirectory: string | undefined, destination: string): string {
  const path = posix.resolve("/", workingDirectory ?? "/", destination);
  const isDirectory = destination.endsWith("/") || destination === "." || destination.endsWith("/.");
  return isDirectory && path !== "/" ? `${path}/` : path;
}

async function prefixed<T>(prefix: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof EngineError) || error.kind === "canceled") throw error;
    throw withPrefix(prefix, error);
  }
}
