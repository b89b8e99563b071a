/** `RUN --mount`: directories that a step sees and that do not become part of its layer. Source: Dockerfile reference, "RUN --mount". */
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, join, posix } from "node:path";
import type { Mount } from "../api/container-config.ts";
import { errorCode, invalidArgument, notFound, notImplemented } from "../base/errors.ts";
import type { RunMount } from "../dockerfile/instructions.ts";
import { parseMount } from "../dockerfile/mounts.ts";
import { resolveInRoot } from "../linux/resolve.ts";
import { scanFiles } from "./context/copy-files.ts";
import type { StageBuild } from "./stage-build.ts";
import { WritableView } from "./writable-view.ts";

/** Cache directories in use whose sharing is `locked` or `private`: who uses one now. */
const busy = new Map<string, Promise<void>>();

export class RunMounts implements AsyncDisposable {
  readonly mounts: Mount[] = [];
  /** What of the mounts decides whether a cached result is still right. */
  readonly keys: unknown[] = [];
  private readonly build: StageBuild;
  private readonly wanted: readonly string[];
  private readonly release: (() => void)[] = [];

  constructor(build: StageBuild, wanted: readonly string[]) {
    this.build = build;
    this.wanted = wanted;
  }

  async prepare(): Promise<void> {
    for (const mount of this.wanted) await this.add(parseMount(mount));
  }

  /** Puts a program at /dev/pipes, which is no part of the layer, and returns its path in the container. */
  script(name: string, content: string): string {
    const directory = mkdtempSync(join(this.build.scope.work, "script-"));
    chmodSync(directory, 0o711);
    this.release.push(() => rmSync(directory, { recursive: true, force: true }));
    writeFileSync(join(directory, basename(name)), content, { mode: 0o755 });
    this.mounts.push({ Type: "bind", Source: directory, Target: "/dev/pipes", ReadOnly: true });
    return `/dev/pipes/${basename(name)}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const release of this.release.reverse()) release();
  }

  private async add(mount: RunMount): Promise<void> {
    const target = this.target(mount);
    switch (mount.type) {
      case "bind":
        return this.bind(mount, target);
      case "cache":
        return this.cache(mount, target);
      case "tmpfs":
        this.keys.push(["tmpfs", target]);
        this.mounts.push({ Type: "tmpfs", Target: target, TmpfsOptions: mount.size ? { SizeBytes: mount.size } : {} });
        return;
      default:
        // The classic API has no way to send secrets; an optional one is then simply not there.
        if (mount.required) throw notImplemented(`RUN --mount=type=${mount.type} needs a client that speaks BuildKit`);
    }
  }

  private target(mount: RunMount): string {
    if (mount.target === undefined || mount.target === "") {
      if (mount.type === "secret" || mount.type === "ssh") return `/run/secrets/${mount.id ?? "default"}`;
      throw invalidArgument(`invalid mount target "": a mount of type ${mount.type} needs a target`);
    }
    const path = posix.resolve("/", this.build.config.WorkingDir ?? "/", mount.target);
    if (path === "/") throw invalidArgument(`invalid mount target "${mount.target}": mounting at / is not possible`);
    return path;
  }

  private async bind(mount: RunMount, target: string): Promise<void> {
    const { scope } = this.build;
    const source = mount.source ?? "/";
    const tree = mount.from
      ? await this.build.treeOf(mount.from)
      : { root: (await scope.context()).directory, image: undefined };
    if (tree === undefined) throw invalidArgument(`stage ${mount.from} has no files`);
    const { root, image } = tree;
    if (image !== undefined) this.keys.push(["bind", image, source, target]);
    else {
      const selection = {
        root,
        paths: [source],
        literal: true,
        preserve: false,
        archives: false,
        parents: false,
        exclude: [],
      };
      const { digest } = await scanFiles(scope.workers, selection);
      this.keys.push(["bind", digest, source, target]);
    }
    let path = inside(root, source);
    if (!mount.readOnly) {
      const view = new WritableView(path, scope);
      this.release.push(() => view[Symbol.dispose]());
      path = view.path;
    }
    this.mounts.push({ Type: "bind", Source: path, Target: target, ReadOnly: mount.readOnly });
  }

  private async cache(mount: RunMount, target: string): Promise<void> {
    const seed = mount.from ? await this.seed(mount) : undefined;
    const id = createHash("sha256").update(mount.id ?? target);
    if (seed) id.update(`\0${seed.key}`);
    const directory = await this.take(join(this.build.scope.cacheMounts, id.digest("hex")), mount.sharing ?? "shared");
    if (!existsSync(directory)) await this.makeCache(directory, mount, seed?.path);
    this.keys.push(["cache", target, ...(seed ? [seed.key] : [])]);
    this.mounts.push({ Type: "bind", Source: directory, Target: target, ReadOnly: mount.readOnly });
  }

  /** What a new cache directory begins with. */
  private async seed({ from = "", source = "/" }: RunMount): Promise<{ path: string; key: string }> {
    const tree = await this.build.treeOf(from);
    if (tree === undefined) throw invalidArgument(`stage ${from} has no files`);
    return { path: inside(tree.root, source), key: `${tree.image ?? from}\0${source}` };
  }

  /** There at once and whole: a killed daemon leaves none that is half filled. Whoever comes first makes it. */
  private async makeCache(directory: string, { mode, uid, gid }: RunMount, seed: string | undefined): Promise<void> {
    const { work, workers, signal, discard } = this.build.scope;
    const draft = mkdtempSync(join(work, "cache-"));
    try {
      if (seed !== undefined) await workers.run({ verb: "copy-tree", from: seed, to: draft }, { signal });
      const { mode: own, uid: user, gid: group } = seed === undefined ? rootDirectory : statSync(seed);
      chownSync(draft, uid ?? user, gid ?? group);
      chmodSync(draft, mode ?? own & 0o7777);
      renameSync(draft, directory);
    } catch (error) {
      discard(draft);
      if (errorCode(error) !== "ENOTEMPTY" && errorCode(error) !== "EEXIST") throw error;
    }
  }

  /** The directory to use. `locked` waits for whoever uses it; `private` takes another one instead. */
  private async take(path: string, sharing: "shared" | "private" | "locked"): Promise<string> {
    mkdirSync(join(path, ".."), { recursive: true, mode: 0o700 });
    if (sharing === "shared") return path;
    let chosen = path;
    for (let n = 1; sharing === "private" && busy.has(chosen); n++) chosen = `${path}.${n}`;
    while (busy.has(chosen)) await busy.get(chosen);
    const { promise, resolve } = Promise.withResolvers<void>();
    busy.set(chosen, promise);
    this.release.push(() => {
      busy.delete(chosen);
      resolve();
    });
    return chosen;
  }
}

const rootDirectory = { mode: 0o755, uid: 0, gid: 0 };

/** Where a path of a context or image is on the host. */
function inside(root: string, path: string): string {
  try {
    return resolveInRoot(root, path);
  } catch (error) {
    throw notFound(`failed to compute cache key: "${path}": not found`, { cause: error });
  }
}
