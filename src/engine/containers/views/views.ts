/** What `ps` and `inspect` show of a container, with what other parts of the engine know about it. */
import type { ContainerInspect, ContainerSummary, MountPoint } from "../../../api/containers.ts";
import type { MountPlan } from "../../volumes/mounts/mount-plan.ts";
import type { Container } from "../container.ts";
import type { ContainerPaths } from "../paths.ts";
import { toInspect } from "./inspect.ts";
import { toSummary } from "./list.ts";

export interface ViewDependencies {
  paths: ContainerPaths;
  mountPoints(plans: MountPlan[]): MountPoint[];
  graphDriver(id: string): ContainerInspect["GraphDriver"];
  /** Bytes of the writable directory. */
  usage(id: string): Promise<number>;
  /** Bytes of the image's layers; 0 when it is gone. */
  imageSize(id: string): number;
  /** Whether a name still stands for this image. */
  isNameOf(name: string, imageId: string): boolean;
  /** Its own name and those of links to it. */
  namesOf(container: Container): string[];
  linksOf(container: Container): { linkName: string; target: Container }[];
}

export class ContainerViews {
  private readonly deps: ViewDependencies;

  constructor(deps: ViewDependencies) {
    this.deps = deps;
  }

  async summary(container: Container, size: boolean): Promise<ContainerSummary> {
    const { record } = container;
    const name = record.config.Image ?? "";
    const image = this.deps.isNameOf(name, record.imageId) ? name : record.imageId;
    const mounts = this.deps.mountPoints(record.mounts);
    return toSummary(container, {
      image,
      names: this.deps.namesOf(container),
      mounts,
      sizes: size ? await this.sizes(container) : undefined,
    });
  }

  async inspect(container: Container, size: boolean): Promise<ContainerInspect> {
    return toInspect(container, {
      paths: this.deps.paths,
      mounts: this.deps.mountPoints(container.record.mounts),
      links: this.deps.linksOf(container),
      graphDriver: this.deps.graphDriver(container.id),
      sizes: size ? await this.sizes(container) : undefined,
    });
  }

  async sizes({ record }: Container): Promise<{ SizeRw: number; SizeRootFs: number }> {
    const writable = await this.deps.usage(record.id);
    return { SizeRw: writable, SizeRootFs: writable + this.deps.imageSize(record.imageId) };
  }
}
