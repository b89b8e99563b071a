/** Decides at create what a container mounts: other containers' volumes, then binds, then mounts, then the image's volumes. */
import type { ContainerConfig, HostConfig } from "../../../api/container-config.ts";
import { invalidArgument } from "../../../base/errors.ts";
import { localDriver, type VolumeRecord, type VolumeRequest } from "../volume-store.ts";
import { clean, type ParsedMount, parseBind, parseMount, parseTmpfs, parseVolumesFrom } from "./mount-parse.ts";
import type { MountPlan } from "./mount-plan.ts";
import { guardDataRoot } from "./propagation.ts";

export interface PlanInput {
  containerId: string;
  config: ContainerConfig;
  hostConfig: HostConfig;
  imageVolumes: readonly string[];
  /** Mounts below read-only binds stay writable, as before API 1.44. */
  readOnlyNonRecursive?: boolean | undefined;
  /** An image and its layers; throws `not-found`. */
  resolveImage: (name: string) => { id: string; layers: readonly string[] };
  /** The plans of another container; throws `not-found`. */
  volumesFrom: (container: string) => MountPlan[];
}

export interface VolumeMaker {
  ensure(request: VolumeRequest): Promise<VolumeRecord>;
  dataPath(name: string): string;
  /** Where the snapshot of an image mount is mounted. */
  imagePath(key: string): string;
}

/**
 * Makes the volumes that are missing and returns the plans. Throws Docker's messages; volumes without a name that were made until
 * then are in `made`, for the caller to remove.
 */
export async function planMounts(
  volumes: VolumeMaker,
  dataRoot: string,
  input: PlanInput,
  made: string[],
): Promise<MountPlan[]> {
  const { config, hostConfig, imageVolumes } = input;
  const tmpfs = Object.entries(hostConfig.Tmpfs ?? {}).map(([target, options]) => parseTmpfs(target, options));
  const tmpfsTargets = new Set(tmpfs.map((plan) => plan.destination));
  const plans = new Map<string, MountPlan>();
  for (const spec of hostConfig.VolumesFrom ?? []) {
    for (const plan of inherited(spec, input)) {
      const { image } = plan;
      // The snapshot that an image mount shows goes with its own container.
      plans.set(plan.destination, image ? withImage(volumes, plan, image, input, plans.size) : plan);
    }
  }
  const own = new Set<string>();
  const add = async (parsed: ParsedMount, guarded: MountPlan) => {
    const { destination } = guarded;
    if (own.has(destination)) throw duplicate(destination);
    own.add(destination);
    if (guarded.type === "volume")
      plans.set(destination, await withVolume(volumes, { ...parsed, plan: guarded }, made));
    else if (guarded.type === "image") {
      const { id, layers } = input.resolveImage(guarded.source);
      const image = { name: guarded.source, id, layers };
      plans.set(destination, withImage(volumes, guarded, image, input, plans.size));
    } else plans.set(destination, guarded);
  };
  for (const raw of hostConfig.Binds ?? []) {
    const parsed = parseBind(raw, hostConfig.VolumeDriver ?? "");
    if (tmpfsTargets.has(parsed.plan.destination)) throw duplicate(parsed.plan.destination);
    const explicit = parsed.plan.mode.split(",").includes(parsed.plan.propagation);
    const { plan } = parsed;
    const shallow = input.readOnlyNonRecursive && plan.type === "bind" && !plan.rw;
    const settled = shallow ? { ...plan, readOnlyNonRecursive: true } : plan;
    await add(parsed, guardDataRoot(settled, explicit, dataRoot));
  }
  for (const mount of hostConfig.Mounts ?? []) {
    const parsed = parseMount(mount);
    await add(parsed, guardDataRoot(parsed.plan, Boolean(mount.BindOptions?.Propagation), dataRoot));
  }
  for (const target of new Set([...Object.keys(config.Volumes ?? {}), ...imageVolumes].map(clean))) {
    if (plans.has(target) || tmpfsTargets.has(target)) continue;
    if (target === "/") throw invalidArgument("invalid specification: destination can't be '/'");
    plans.set(target, await imageVolume(volumes, target, hostConfig.VolumeDriver ?? "", made));
  }
  // --tmpfs lies over what other containers or --mount put there.
  return [...[...plans.values()].filter((plan) => !tmpfsTargets.has(plan.destination)), ...tmpfs];
}

function inherited(spec: string, input: PlanInput): MountPlan[] {
  const { container, rw } = parseVolumesFrom(spec);
  return input
    .volumesFrom(container)
    .filter((plan) => !plan.hidden)
    .map((plan) => ({ ...plan, mode: "", rw: plan.rw && rw, copyData: false }));
}

async function withVolume(
  volumes: VolumeMaker,
  { plan, driver, driverOptions, labels }: ParsedMount,
  made: string[],
): Promise<MountPlan> {
  const record = await volumes.ensure({
    ...(plan.name === undefined ? {} : { name: plan.name }),
    ...(driver === undefined ? {} : { driver }),
    options: driverOptions ?? null,
    labels: labels ?? null,
  });
  if (plan.anonymous) made.push(record.name);
  // What Docker shows for a volume without a mode of its own.
  return { ...plan, ...located(volumes, record), mode: plan.mode || (record.driver === localDriver ? "z" : "") };
}

function withImage(
  volumes: VolumeMaker,
  plan: MountPlan,
  image: Omit<NonNullable<MountPlan["image"]>, "key">,
  { containerId }: PlanInput,
  index: number,
): MountPlan {
  const key = `${containerId}-image-${index}`;
  return { ...plan, source: volumes.imagePath(key), image: { ...image, key } };
}

async function imageVolume(
  volumes: VolumeMaker,
  destination: string,
  driver: string,
  made: string[],
): Promise<MountPlan> {
  const record = await volumes.ensure({ driver });
  made.push(record.name);
  return {
    type: "volume",
    ...located(volumes, record),
    destination,
    mode: "",
    rw: true,
    propagation: "",
    copyData: true,
    createSource: false,
    anonymous: true,
  };
}

function located(volumes: VolumeMaker, { name, driver }: VolumeRecord) {
  return { name, driver, source: driver === localDriver ? volumes.dataPath(name) : "" };
}

function duplicate(destination: string) {
  return invalidArgument(`Duplicate mount point: ${destination}`);
}
