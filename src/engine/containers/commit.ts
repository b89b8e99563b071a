/** `docker commit`: the container's changes become a layer, its configuration an image. */
import type { ContainerConfig } from "../../api/container-config.ts";
import { conflict } from "../../base/errors.ts";
import type { Layer } from "../../snapshots/layer-store.ts";
import type { Container } from "./container.ts";
import type { ContainerEvents } from "./container-events.ts";
import type { Freezer } from "./control.ts";

export interface CommitRequest {
  repo?: string | undefined;
  tag?: string | undefined;
  comment: string;
  author: string;
  /** Freeze the container's processes meanwhile. */
  pause: boolean;
  changes: string[];
  config?: ContainerConfig | undefined;
}

export interface CommittedImage {
  parentImageId: string;
  layer: Layer;
  /** What the request brings; undefined: the container's own. */
  config: ContainerConfig | undefined;
  containerConfig: ContainerConfig;
  containerId: string;
  author: string;
  comment: string;
  repo?: string | undefined;
  tag?: string | undefined;
  changes: string[];
}

export interface CommitterDependencies {
  freezer: Freezer;
  events: ContainerEvents;
  commitSnapshot(id: string): Promise<Layer>;
  images: {
    /** No layer is collected until this is disposed. */
    hold(): Disposable;
    /** Throws what `createFromContainer` would refuse. */
    checkCommit(request: Pick<CommittedImage, "repo" | "tag" | "changes">): void;
    createFromContainer(image: CommittedImage): Promise<string>;
  };
}

export class Committer {
  private readonly deps: CommitterDependencies;

  constructor(deps: CommitterDependencies) {
    this.deps = deps;
  }

  /** Returns the image's id. */
  async commit(container: Container, request: CommitRequest): Promise<string> {
    const { record } = container;
    if (record.removing) throw conflict(`You cannot commit container ${record.id} which is being removed`);
    if (record.state.status === "dead") throw conflict(`You cannot commit container ${record.id} which is Dead`);
    this.deps.images.checkCommit(request);
    using _held = this.deps.images.hold();
    const pauses = request.pause && container.isRunning && !container.isPaused;
    const layer = pauses ? await this.whilePaused(container) : await this.deps.commitSnapshot(record.id);
    const { repo, tag, comment, author, changes } = request;
    const id = await this.deps.images.createFromContainer({
      parentImageId: record.imageId,
      layer,
      config: request.config,
      containerConfig: record.config,
      containerId: record.id,
      author,
      comment,
      repo,
      tag,
      changes,
    });
    this.deps.events.publish(container, "commit", {
      comment,
      imageID: id,
      imageRef: repo ? `${repo}:${tag || "latest"}` : "",
    });
    return id;
  }

  private async whilePaused(container: Container): Promise<Layer> {
    return container.lifecycle.run(async () => {
      await this.deps.freezer.freeze(container);
      try {
        return await this.deps.commitSnapshot(container.id);
      } finally {
        await this.deps.freezer.thaw(container);
      }
    });
  }
}
