/** COPY and ADD: files of the context, of an image or another stage, of heredocs, URLs and Git, brought into a fresh snapshot. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { parseMode } from "../../archive/file-mode.ts";
import type { UnpackLayerResult } from "../../archive/layers/layer-files.ts";
import { internal, invalidArgument, prefixed } from "../../base/errors.ts";
import type { CopyInstruction } from "../../dockerfile/instructions.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Layer } from "../../snapshots/layer-store.ts";
import { cacheKey } from "../cache/step-cache.ts";
import {
  type CopyRequest,
  type CopySource,
  copyFiles,
  copyLayerJob,
  type PreparedCopy,
  prepareCopy,
} from "../context/copy-files.ts";
import { isUrl, remoteFiles } from "../context/remote-files.ts";
import type { StageBuild } from "../stage-build.ts";
import { isInteger } from "../stages.ts";
import { type Owner, resolveOwner } from "./owner.ts";

type Keep = (layer: Layer) => Promise<Digest>;

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
    const prepared = await prefixed(`${name} failed: `, () => prepareCopy(request, build.scope.workers));
    if (prepared.count > 1 && !request.destination.endsWith("/")) {
      throw invalidArgument(
        `When using ${name} with more than one source file, the destination must be a directory and end with a /`,
      );
    }
    const key = [
      prepared.digest,
      copy.chown ?? "",
      copy.chmod ?? "",
      request.parents,
      request.exclude,
      request.sources.map(({ extract }) => extract),
      request.destination,
    ];
    const step = { instruction: copy, digest: prepared.digest };
    const linked = copy.link ? ["link", ...key] : key;
    await build.scope.steps.files(build, step, linked, (keep) =>
      copy.link ? this.bringLinked(prepared, linked, keep) : this.bring(prepared, keep),
    );
  }

  private async bring(prepared: PreparedCopy, keep: Keep): Promise<Digest> {
    const { sources, images } = this.build.scope;
    const { image } = this.build.state;
    using _held = images.hold();
    const below = image === undefined ? undefined : sources.root(image);
    const owner = this.owner(below);
    return await keep(await prefixed("failed to copy files: ", () => this.layer(prepared, { below, image, owner })));
  }

  /**
   * `--link`: a layer that does not know what it goes on top of, so that it serves again when that has changed, and follows no link there.
   * It has an entry of its own in the cache.
   */
  private async bringLinked(prepared: PreparedCopy, parts: unknown[], keep: Keep): Promise<Digest> {
    const { sources, images, cache, ignoresCache } = this.build.scope;
    const { image, platform } = this.build.state;
    using _held = images.hold();
    // Names of users are those of the image all the same.
    const owner = this.owner(image === undefined ? undefined : sources.root(image));
    const key = cacheKey(platform, ...parts, owner ?? null);
    const work = async () => {
      const { diffId } = await prefixed("failed to copy files: ", () =>
        this.layer(prepared, { below: undefined, image: undefined, owner }),
      );
      return await images.createCacheStep([diffId as Digest]);
    };
    const description = `${this.name} --link ${this.copy.sources.join(" ")} ${this.copy.destination}`;
    const made = (ignoresCache ? undefined : cache.find(key)) ?? (await cache.build(key, description, work));
    const [diffId] = images.find(made)?.layers ?? [];
    if (diffId === undefined) throw internal(`No such image: ${made}`);
    return await keep({ diffId, size: images.topLayerSize(made) });
  }

  private owner(root: string | undefined): Owner | undefined {
    const { chown } = this.copy;
    return chown === undefined ? undefined : resolveOwner(root, chown);
  }

  /** `below`: the tree of `image`. */
  private async layer(
    prepared: PreparedCopy,
    { below, image, owner }: { below: string | undefined; image: Digest | undefined; owner: Owner | undefined },
  ): Promise<Layer> {
    const { layers, workers, signal } = this.build.scope;
    const job = copyLayerJob(prepared, { target: below, owner });
    if (!job) return await this.build.layer(image, (target) => copyFiles(prepared, { target, owner, signal }));
    return await layers.make(
      async (directory) => (await workers.run({ ...job, directory }, { signal })) as UnpackLayerResult,
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
    const options = {
      parent: build.scope.work,
      destination: copy.destination,
      checksum: copy.checksum,
      keepGitDirectory: copy.keepGitDir,
      signal: build.scope.signal,
      discard: build.scope.discard,
    };
    const remote = stack.use(await prefixed(`${name} failed: `, () => remoteFiles(urls, options)));
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
    if (copy.from === undefined) return { ...common, root: (await scope.context()).directory, preserve: false };
    const from = copy.from;
    if (isInteger(from) && !scope.stage(from)) {
      const isItself = Number(from) === scope.index;
      const problem = isItself ? "refers to current build stage" : "index out of bounds";
      throw invalidArgument(`invalid from flag value ${from}: ${problem}`);
    }
    const tree = await prefixed(`invalid from flag value ${from}: `, () => build.treeOf(from));
    if (tree === undefined) throw invalidArgument(`${name} failed: stage ${from} has no files`);
    return { ...common, root: tree.root, preserve: tree.image !== undefined };
  }

  /** Heredocs as files of a directory. */
  private inline(stack: AsyncDisposableStack): CopySource {
    const root = mkdtempSync(join(this.build.scope.work, "inline-"));
    stack.defer(() => this.build.scope.discard(root));
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
