/** Questions that one part of the engine answers for another: what containers use, which images descend from which. */

import { isNotFound } from "../base/errors.ts";
import type { Container } from "../engine/containers/container.ts";
import type { ContainerRecord } from "../engine/containers/container-record.ts";
import type { ContainerStore } from "../engine/containers/container-store.ts";
import type { ContainerUsage as ImageUsage } from "../engine/images/context.ts";
import type { Images } from "../engine/images/images.ts";
import type { ContainerUsage as VolumeUsage } from "../engine/volumes/volumes.ts";

export function imageUsage(store: ContainerStore): ImageUsage {
  return {
    usingImage: (image) =>
      store
        .list()
        .filter(({ record }) => record.imageId === image)
        .map((container) => ({ id: container.id, name: container.record.name, running: isAlive(container) })),
    mountingImage: (image) =>
      store
        .list()
        .filter(({ record }) => record.mounts.some((mount) => mount.image?.id === image))
        .map(({ id }) => id),
    layersInUse: () => store.list().flatMap(({ record }) => layersOf(record)),
  };
}

/** The stacks of layers that a container stands on or mounts. */
export function layersOf({ layers, mounts }: ContainerRecord): (readonly string[])[] {
  return [layers, ...mounts.flatMap(({ image }) => (image ? [image.layers] : []))];
}

/** Keys of a container's snapshots: its root, and those of its image mounts. */
export function snapshotsOf({ id, record }: Container): string[] {
  return [id, ...record.mounts.flatMap(({ image }) => (image ? [image.key] : []))];
}

export function volumeUsage(store: ContainerStore): VolumeUsage {
  return {
    usingVolume: (name) =>
      store
        .list()
        .filter(({ record }) => record.mounts.some((mount) => mount.name === name))
        .map(({ id }) => id),
  };
}

function isAlive(container: Container): boolean {
  return container.isRunning || container.isRestarting;
}

/** Whether a name stands for this image now; false when it moved on or is gone. */
export function isNameOf(images: Images, name: string, imageId: string): boolean {
  try {
    return images.resolve(name).id === imageId;
  } catch {
    return false;
  }
}

/** Ids of the image and of all that were committed or built on it; none for an image that is not here. */
export function descendantsOf(images: Images, name: string): Set<string> {
  const found = new Set<string>();
  const records = images.records();
  try {
    found.add(images.resolve(name).id);
  } catch (error) {
    if (isNotFound(error)) return found;
    throw error;
  }
  for (let grown = true; grown; ) {
    const before = found.size;
    for (const { id, parent } of records) if (parent !== undefined && found.has(parent)) found.add(id);
    grown = found.size > before;
  }
  return found;
}
