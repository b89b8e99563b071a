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
import type { Mount } from "../../api/container-config.ts";
import { errorCode, invalidArgument, notFound } from "../../base/errors.ts";
import type { RunMount } from "../../dockerfile/instructions.ts";
import { clientId, parseMount } from "../../dockerfile/mounts.ts";
import { resolveInRoot } from "../../linux/resolve.ts";
import { scanFiles } from "../context/copy-files.ts";
import type { StageBuild } from "../stage-build.ts";
import { WritableView } from "./writable-view.ts";

/** Cache directories in use whose sharing is `locked` or `private`: who uses one now. */
const busy = new Map<string, Promise<void>>();

export class RunMounts implements AsyncDisposable {
  readonly mounts: Mount[] = [];
  /** Variables that the step sees because of its mounts. */
  readonly environment: Record<string, string> = {};
  /** What of the mounts decides whether a cached result is still right. */
  readonly keys: unknown[] = [];
  private agents = 0;
  private readonly build: StageBuild;
  private readonly wanted: readonly string[];
  private readonly release: (() => void | PromiseLike<void>)[] = [];

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
    for (const release of this.release.reverse()) await release();
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
      case "secret":
        return this.secret(mount, target);
      case "ssh":
        return this.agent(mount, target);
    }
  }

  private target(mount: RunMount): string {
    if (mount.target === undefined || mount.target === "") {
      if (mount.type === "secret") return `/run/secrets/${basename(clientId(mount))}`;
      if (mount.type === "ssh") return `/run/buildkit/ssh_agent.${this.agents++}`;
      throw invalidArgument(`invalid mount target "": a mount of type ${mount.type} needs a target`);
    }
    const path = posix.resolve("/", this.build.config.WorkingDir ?? "/", mount.target);
    if (path === "/") throw invalidArgument(`invalid mount target "${mount.target}": mounting at / is not possible`);
    return path;
  }

  /** The file lies on a file system in memory, and is no part of the key: another secret gives no other result. */
  private async secret(mount: RunMount, target: string): Promise<void> {
    const { request, signal } = this.build.scope;
    const id = clientId(mount);
    const data = await request.client?.secret(id, signal);
    if (data === undefined) {
      // The classic API has no way to send secrets; an optional one is then simply not there.
      if (mount.required) throw invalidArgument(`secret ${id}: not found`);
      return;
    }
    if (mount.env !== undefined) {
      this.environment[mount.env] = Buffer.from(data).toString();
      if (!mount.target) return;
    }
    const path = join(this.privateDirectory(), "secret");
    writeFileSync(path, data, { mode: 0o600 });
    chownSync(path, mount.uid ?? 0, mount.gid ?? 0);
    chmodSync(path, mount.mode ?? 0o400);
    this.mounts.push({ Type: "bind", Source: path, Target: target, ReadOnly: true });
  }

  private async agent(mount: RunMount, target: string): Promise<void> {
    const id = clientId(mount);
    const path = join(this.privateDirectory(), "agent");
    const agent = await this.build.scope.request.client?.agent(id, path);
    if (!agent) {
      if (mount.required) throw invalidArgument(`no SSH key ${JSON.stringify(id)} forwarded from the client`);
      return;
    }
    this.release.push(() => agent[Symbol.asyncDispose]());
    chownSync(path, mount.uid ?? 0, mount.gid ?? 0);
    chmodSync(path, mount.mode ?? 0o600);
    this.environment["SSH_AUTH_SOCK"] ??= target;
    this.mounts.push({ Type: "bind", Source: path, Target: target });
  }

  /** On a file system in memory: what lies there never comes to a disk. */
  private privateDirectory(): string {
    const { secrets } = this.build.scope;
    mkdirSync(secrets, { recursive: true, mode: 0o711 });
    const directory = mkdtempSync(join(secrets, "mount-"));
    chmodSync(directory, 0o711);
    this.release.push(() => rmSync(directory, { recursive: true, force: true }));
    return directory;
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
    const chosen = await this.take(id.digest("hex").slice(0, idLength), mount.sharing ?? "shared");
    const { kept: directories, renewed, ignoresCache } = this.build.scope;
    if (ignoresCache && !renewed.has(chosen)) directories.remove(chosen);
    renewed.add(chosen);
    const kept = directories.use(chosen, {
      type: "exec.cachemount",
      description: `cached mount ${target} from exec with id ${JSON.stringify(mount.id ?? target)}`,
    });
    this.release.push(() => kept[Symbol.dispose]());
    const directory = kept.path;
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

  /** The id of the directory to use. `locked` waits for whoever uses it; `private` takes another one instead. */
  private async take(id: string, sharing: "shared" | "private" | "locked"): Promise<string> {
    if (sharing === "shared") return id;
    let chosen = id;
    for (let n = 1; sharing === "private" && busy.has(chosen); n++)
      chosen = `${id.slice(0, -2)}${String(n).padStart(2, "0")}`;
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

/** As long as BuildKit's ids. */
const idLength = 25;

const rootDirectory = { mode: 0o755, uid: 0, gid: 0 };

/** Where a path of a context or image is on the host. */
function inside(root: string, path: string): string {
  try {
    return resolveInRoot(root, path);
  } catch (error) {
    throw notFound(`failed to compute cache key: "${path}": not found`, { cause: error });
  }
}
