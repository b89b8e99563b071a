/** `docker rmi`, with dockerd's rules: when a name goes, when the image goes with it, and what stands in the way. */
import type { ImageDeleteItem } from "../../api/images.ts";
import { conflict, internal } from "../../base/errors.ts";
import { shortId } from "../../base/ids.ts";
import { chainIdsOf, type Digest } from "../../oci/digest.ts";
import {
  familiarString,
  parseReference,
  type Reference,
  repositoryOf,
  withDefaultTag,
  withDigest,
} from "../../oci/reference.ts";
import { type ImageContext, publishImageEvent } from "./context.ts";
import { isIdPrefix, resolveImage, variantsOf } from "./resolve.ts";

export interface RemoveOptions {
  force: boolean;
  /** Keep parents that nothing else needs. */
  noPrune: boolean;
  /** Only these platforms of the name; empty: all. */
  platforms?: readonly string[];
}

export async function removeImage(
  context: ImageContext,
  name: string,
  options: RemoveOptions,
): Promise<ImageDeleteItem[]> {
  const { platforms = [] } = options;
  if (platforms.length > 0) return removePlatforms(context, name, platforms, options);
  const { manifests } = context.store;
  const variants = manifests.variants();
  const removed = await removeNamed(context, name, options);
  // The other platforms of a name go with it.
  const left = manifests.variants();
  for (const id of variants) {
    const orphan = !left.has(id) && context.store.find(id) && context.store.references(id).length === 0;
    if (orphan) await deleteImage(context, id, removed, { ...options, force: false, quiet: true });
  }
  return removed;
}

/** The name stays as long as one of its platforms does. */
async function removePlatforms(
  context: ImageContext,
  name: string,
  platforms: readonly string[],
  options: RemoveOptions,
): Promise<ImageDeleteItem[]> {
  const { store } = context;
  const doomed = new Set(platforms.map((platform) => resolveImage(store, name, platform).id));
  const rest = variantsOf(store, name).filter(({ id }) => !doomed.has(id));
  const [next] = rest;
  if (!next) return removeImage(context, name, { ...options, platforms: [] });
  const removed: ImageDeleteItem[] = [];
  for (const id of doomed) {
    refuse(context, id, { ...softConflicts(options.force), references: false });
    for (const reference of store.references(id)) {
      const target = store.targetOf(reference);
      const other = target === undefined ? undefined : rest.find((record) => leadsTo(context, target, record.id));
      if (other) store.setReference(reference, other.id, target);
    }
    await deleteImage(context, id, removed, { ...options, quiet: false });
  }
  return removed;
}

function leadsTo({ store }: ImageContext, target: Digest, id: Digest): boolean {
  return store.manifests.of(target).some(({ image }) => image === id);
}

async function removeNamed(context: ImageContext, name: string, options: RemoveOptions): Promise<ImageDeleteItem[]> {
  const { id } = resolveImage(context.store, name);
  const removed: ImageDeleteItem[] = [];
  let untagged = false;
  if (!isIdPrefix(id, name)) {
    if (removeName(context, id, name, options, removed) > 0) return removed;
    untagged = true;
  } else if (isSingleReference(context.store.references(id))) {
    refuse(context, id, { ...softConflicts(options.force), references: false });
    removeAllReferences(context, id, removed, true);
  }
  await deleteImage(context, id, removed, { ...options, quiet: untagged });
  return removed;
}

/** Removes a name, and digests of its repository that have no tag beside them any more. Returns how many names are left. */
function removeName(
  context: ImageContext,
  id: Digest,
  name: string,
  options: RemoveOptions,
  removed: ImageDeleteItem[],
): number {
  const { store } = context;
  const usage = context.usage();
  const using = options.force
    ? []
    : [...usage.usingImage(id).map((container) => container.id), ...usage.mountingImage(id)];
  if (using[0] && isSingleReference(store.references(id))) {
    throw conflict(
      `conflict: unable to remove repository reference "${name}" (must force) - container ${shortId(using[0])} is using its referenced image ${shortId(id)}`,
    );
  }
  const parsed = withDefaultTag(parseReference(name));
  const reference = parsed.digest === undefined ? parsed : withDigest(parsed, parsed.digest);
  if (!store.removeReference(reference)) throw internal("reference does not exist");
  publishImageEvent(context, "untag", id);
  removed.push({ Untagged: familiarString(reference) });
  const rest = store.references(id);
  const sameRepository = rest.filter((other) => repositoryOf(other) === repositoryOf(reference));
  if (reference.digest !== undefined || sameRepository.some((other) => other.tag !== undefined)) return rest.length;
  for (const other of sameRepository) {
    store.removeReference(other);
    removed.push({ Untagged: familiarString(other) });
  }
  return rest.length - sameRepository.length;
}

function removeAllReferences(context: ImageContext, id: Digest, removed: ImageDeleteItem[], events: boolean): void {
  for (const reference of context.store.references(id)) {
    context.store.removeReference(reference);
    if (events) publishImageEvent(context, "untag", id);
    removed.push({ Untagged: familiarString(reference) });
  }
}

async function deleteImage(
  context: ImageContext,
  id: Digest,
  removed: ImageDeleteItem[],
  options: RemoveOptions & { quiet: boolean },
): Promise<void> {
  const { store } = context;
  const problem = findConflict(context, id, softConflicts(options.force));
  if (problem) {
    const dangling = store.references(id).length === 0 && store.children(id).length === 0;
    // The name is gone and was what the user asked for; the image itself stays for those who need it.
    if (options.quiet && (!dangling || problem.used)) return;
    throw conflict(problem.message);
  }
  const record = store.get(id);
  removeAllReferences(context, id, removed, true);
  // The decision and the deletion are one tick: nobody can start to use the image between them.
  const deletion = store.delete(id);
  publishImageEvent(context, "delete", id);
  removed.push({ Deleted: id }, ...freedLayers(context, record.layers).map((chain) => ({ Deleted: chain })));
  await deletion;
  await context.collector.collect(record.layers);
  const { parent } = record;
  if (options.noPrune || parent === undefined || !store.find(parent)) return;
  await deleteImage(context, parent, removed, { force: false, noPrune: false, quiet: true });
}

/** ChainIDs, top first, that neither an image nor a container stands on any more. */
function freedLayers(context: ImageContext, layers: readonly Digest[]): Digest[] {
  const used = new Set<Digest>();
  for (const other of context.store.list()) for (const chain of chainIdsOf(other.layers)) used.add(chain);
  for (const stack of context.usage().layersInUse()) for (const chain of chainIdsOf(stack)) used.add(chain);
  return chainIdsOf(layers)
    .reverse()
    .filter((chain) => !used.has(chain));
}

interface Checks {
  references: boolean;
  stopped: boolean;
}

function softConflicts(force: boolean): Checks {
  return { references: !force, stopped: !force };
}

function refuse(context: ImageContext, id: Digest, checks: Checks): void {
  const problem = findConflict(context, id, checks);
  if (problem) throw conflict(problem.message);
}

/** What stands in the way; children and running containers always do. `used`: it is a container. */
function findConflict(
  context: ImageContext,
  id: Digest,
  checks: Checks,
): { message: string; used: boolean } | undefined {
  const problem = (reason: string, hard: boolean, used: boolean) => ({
    message: `conflict: unable to delete ${shortId(id)} (${hard ? "cannot be forced" : "must be forced"}) - ${reason}`,
    used,
  });
  if (context.store.children(id).length > 0) return problem("image has dependent child images", true, false);
  const using = context.usage().usingImage(id);
  const running = using.find((container) => container.running);
  if (running) return problem(`image is being used by running container ${shortId(running.id)}`, true, true);
  if (checks.references && context.store.references(id).length > 0) {
    return problem("image is referenced in multiple repositories", false, false);
  }
  const stopped = checks.stopped ? using.find((container) => !container.running) : undefined;
  if (stopped) return problem(`image is being used by stopped container ${shortId(stopped.id)}`, false, true);
  return undefined;
}

/** At most one tag, and all digests in that tag's repository. */
function isSingleReference(references: Reference[]): boolean {
  if (references.length <= 1) return true;
  const tags = references.filter((reference) => reference.digest === undefined);
  if (tags.length > 1) return false;
  const repositories = new Set(references.filter((other) => other.digest !== undefined).map(repositoryOf));
  return repositories.size === 1 && repositories.has(repositoryOf(tags[0] ?? (references[0] as Reference)));
}
