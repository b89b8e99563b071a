/** `--build-context NAME=…`: names that stand for an image, a directory of the client's, a result of another build, or an address. */
import { invalidArgument, notImplemented } from "../../base/errors.ts";
import type { BuildContext } from "../../builder/context/context.ts";
import type { NamedContexts } from "../../builder/image-sources.ts";
import type { Digest } from "../../oci/digest.ts";
import { formatPlatform, type Platform } from "../../oci/platform.ts";
import { loadIgnoreFile, localContext, openRemote, type SourceScope } from "./dockerfile-source.ts";
import type { FrontendOptions } from "./options.ts";
import { wholeName } from "./vertex-report.ts";

/** Directories that contexts stand for, by target: all platforms' builds have the same. */
export type ContextDirectories = Map<string, () => Promise<BuildContext>>;

/** `inputs`: results of other builds, by name; `layouts`: images in directories of the client's, by address. Undefined: the client names none. */
export function namedContexts(
  scope: SourceScope,
  options: FrontendOptions,
  inputs: ReadonlyMap<string, Digest>,
  {
    platform,
    layouts,
    directories,
  }: { platform: Platform; layouts: Pick<ReadonlyMap<string, Digest>, "get">; directories: ContextDirectories },
): NamedContexts | undefined {
  if (options.contexts.size === 0) return undefined;
  // What is meant for one platform alone comes first.
  const find = (name: string) =>
    [name, wholeName(name)]
      .flatMap((one) => [`${one}::${formatPlatform(platform)}`, one])
      .map((one) => options.contexts.get(one))
      .find((target) => target !== undefined);
  return {
    image: (name) => {
      const target = find(name);
      if (target?.startsWith("docker-image://")) return target.slice("docker-image://".length);
      if (target?.startsWith("input:")) return inputOf(target, inputs);
      if (target?.startsWith("oci-layout:")) return layouts.get(target);
      if (target !== undefined)
        throw notImplemented(`FROM ${name}: a directory as the base of a stage is not supported`);
      return undefined;
    },
    directory: (name) => {
      const target = find(name);
      if (target === undefined || /^(docker-image:\/\/|input:|oci-layout:)/.test(target)) return undefined;
      const load = directories.get(target) ?? open(scope, options, name, target);
      directories.set(target, load);
      return load().then(({ directory }) => directory);
    },
  };
}

function inputOf(target: string, inputs: ReadonlyMap<string, Digest>): string {
  const name = target.slice("input:".length);
  const image = inputs.get(name);
  if (image === undefined) throw invalidArgument(`no input ${name} was given`);
  return image;
}

function open(scope: SourceScope, options: FrontendOptions, name: string, target: string): () => Promise<BuildContext> {
  if (target.startsWith("local:")) {
    const local = target.slice("local:".length);
    const source = async () => {
      const exclude = await loadIgnoreFile(scope, local, `context ${name}`);
      return { name: local, keep: true, exclude, follow: [] };
    };
    return localContext(scope, source, `[context ${name}] load from client`);
  }
  let opened: Promise<BuildContext> | undefined;
  return () => {
    opened ??= openRemote(scope, target, options);
    return opened;
  };
}
