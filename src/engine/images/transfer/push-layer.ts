/** One layer to one repository: known there, mounted from beside it, or compressed and sent. */
import type { Digest } from "../../../oci/digest.ts";
import type { Repository } from "../../../remote/repository.ts";
import type { ImageContext } from "../context.ts";
import type { LayerBlob } from "./layer-blobs.ts";
import type { Listener } from "./progress.ts";

/** How many remembered forms of a layer, and places to mount it from, are worth a question each. */
const maxQuestions = 3;

/** Where a push goes. */
export interface PushTarget {
  context: ImageContext;
  repository: Repository;
  /** The full name, `docker.io/library/debian`. */
  name: string;
}

export class LayerPush {
  private readonly target: PushTarget;
  private readonly tell: Listener;
  private readonly signal: AbortSignal;

  constructor(target: PushTarget, tell: Listener, signal: AbortSignal) {
    this.target = target;
    this.tell = tell;
    this.signal = signal;
  }

  /** `wanted`: the form that the manifest names; another one comes back where that cannot be had. */
  async run(diffId: Digest, wanted?: LayerBlob): Promise<LayerBlob> {
    const { context, name } = this.target;
    let started = false;
    const pushing = context.uploads.limit(async () => {
      started = true;
      this.signal.throwIfAborted();
      const blob = (await this.already(diffId, wanted)) ?? (await this.send(diffId));
      context.blobs.remember(diffId, blob, name);
      return blob;
    });
    if (!started) this.tell({ status: "Waiting" });
    return pushing;
  }

  /** A form of the layer that the registry has, in this repository or in another that it can be mounted from. */
  private async already(diffId: Digest, wanted: LayerBlob | undefined): Promise<LayerBlob | undefined> {
    const { context, name } = this.target;
    const known = context.blobs.of(diffId, name).filter(({ digest }) => digest !== wanted?.digest);
    for (const blob of [...(wanted ? [wanted] : []), ...known].slice(0, maxQuestions)) {
      if (await bringBlob(this.target, blob.digest, this.tell, this.signal)) return blob;
    }
    return undefined;
  }

  private async send(diffId: Digest): Promise<LayerBlob> {
    const { signal, tell } = this;
    const { context, repository } = this.target;
    await using layer = await context.uploads.compress(diffId, signal);
    const blob = { digest: layer.digest, size: layer.size };
    if (await repository.hasBlob(blob.digest, signal)) {
      tell({ status: "Layer already exists" });
      return blob;
    }
    const counted = async function* (offset: number) {
      let current = offset;
      for await (const chunk of layer.open(offset)) {
        yield chunk;
        current += chunk.length;
        tell({ status: "Pushing", current, total: layer.size });
      }
    };
    await repository.upload({ ...blob, open: counted }, signal);
    tell({ status: "Pushed" });
    return blob;
  }
}

/** True when the repository has the blob, or could mount it from another of its registry. */
export async function bringBlob(
  { context, repository, name }: PushTarget,
  digest: Digest,
  tell: Listener,
  signal: AbortSignal,
): Promise<boolean> {
  if (await repository.hasBlob(digest, signal)) {
    tell({ status: "Layer already exists" });
    return true;
  }
  for (const source of context.blobs.sources(digest, name).slice(0, maxQuestions)) {
    // A source that is gone or forbidden is only a shortcut that does not work.
    if (!(await repository.mountBlob(digest, source, signal).catch(() => false))) continue;
    tell({ status: `Mounted from ${source}` });
    return true;
  }
  return false;
}
