/** Docker's two notations of a mount, `-v` and `--mount`, read with its rules and messages. */
import { existsSync } from "node:fs";
import { posix } from "node:path";
import type { Mount } from "../../../api/container-config.ts";
import { internal, invalidArgument } from "../../../base/errors.ts";
import { mergeTmpfsOptions } from "../../../runtime/spec/tmpfs.ts";
import type { MountPlan } from "./mount-plan.ts";

/** A mount whose volume is not made yet: its source and, when it has no name, its name are to come. */
export interface ParsedMount {
  plan: MountPlan;
  driver?: string;
  driverOptions?: Record<string, string>;
  labels?: Record<string, string>;
}

const propagations = new Set(["private", "rprivate", "shared", "rshared", "slave", "rslave"]);
const modeKinds: Record<string, string> = {
  rw: "rw",
  ro: "rw",
  z: "label",
  Z: "label",
  nocopy: "copy",
  idmap: "owners",
  consistent: "consistency",
  cached: "consistency",
  delegated: "consistency",
  default: "consistency",
};

/** Each word known, and at most one of each kind. */
function isMode(mode: string): boolean {
  if (mode === "") return true;
  const kinds = mode.split(",").map((word) => (propagations.has(word) ? "propagation" : modeKinds[word]));
  return !kinds.includes(undefined) && new Set(kinds).size === kinds.length;
}

/** `source:destination:mode`, `name:destination` or `destination`. */
export function parseBind(raw: string, volumeDriver: string): ParsedMount {
  const parts = raw.split(":");
  const invalid = (reason = "") =>
    internal(`invalid volume specification: '${raw}'${reason === "" ? "" : `: ${reason}`}`);
  if (parts[0] === "" || parts.length > 3 || hasNul(raw)) throw invalid();
  if (parts.length === 2 && isMode(parts[1] ?? "")) throw invalid();
  const [source = "", target = "", mode = ""] = parts.length === 1 ? ["", ...parts] : parts;
  if (!isMode(mode)) throw internal(`invalid mode: ${mode}`);
  const words = mode.split(",");
  const propagation = words.find((word) => propagations.has(word));
  const isBind = source.startsWith("/");
  const problem =
    targetProblem(target) ??
    (isBind && words.includes("nocopy") ? "field VolumeOptions must not be specified" : undefined) ??
    (!isBind && propagation !== undefined ? "field BindOptions must not be specified" : undefined);
  if (problem !== undefined) throw invalid(`invalid mount config for type "${isBind ? "bind" : "volume"}": ${problem}`);
  if (!isBind && words.includes("idmap")) throw internal(`invalid mode: ${mode}: idmap is for host directories`);
  const common = { destination: clean(target), mode, rw: !words.includes("ro") };
  if (isBind) {
    const owners = words.includes("idmap") ? { matchUser: true } : {};
    return { plan: { ...bindPlan(clean(source), propagation), ...common, ...owners, createSource: true } };
  }
  return {
    plan: { ...volumePlan(source), ...common, copyData: !words.includes("nocopy") },
    ...(volumeDriver === "" ? {} : { driver: volumeDriver }),
  };
}

/** One `--mount`. */
export function parseMount(mount: Mount): ParsedMount {
  const { Type = "", Target = "", ReadOnly = false } = mount;
  const extra = extraOptions(mount);
  if (extra !== undefined) throw invalidArgument(`${extra} must not be specified on mount type "${Type}"`);
  const parse = parsers[Type];
  const problem = Target === "" ? "field Target must not be empty" : targetProblem(Target);
  if (problem !== undefined) throw invalidMount(Type, problem);
  if ([mount.Source, Target, mount.VolumeOptions?.Subpath, mount.ImageOptions?.Subpath].some(hasNul)) {
    throw invalidMount(Type, "a path holds a NUL byte");
  }
  if (parse === undefined) throw invalidMount(Type, "mount type unknown");
  const parsed = parse(mount);
  return { ...parsed, plan: { ...parsed.plan, destination: clean(Target), rw: !ReadOnly && Type !== "image" } };
}

const parsers: Record<string, (mount: Mount) => ParsedMount> = {
  bind: parseBindMount,
  volume: parseVolumeMount,
  tmpfs: parseTmpfsMount,
  image: parseImageMount,
};

/** What image it is, is looked up later. */
function parseImageMount({ Source = "", ImageOptions = {} }: Mount): ParsedMount {
  const { Subpath = "" } = ImageOptions;
  if (Source === "") throw invalidMount("image", "field Source must not be empty");
  if (!isLocalPath(Subpath)) throw invalidMount("image", "subpath must be a relative path within the volume");
  const plan = { ...emptyPlan("image"), source: Source, propagation: "rprivate" };
  return { plan: { ...plan, ...(Subpath === "" ? {} : { subpath: Subpath }) } };
}

function parseBindMount({ Source = "", ReadOnly, BindOptions = {} }: Mount): ParsedMount {
  const { Propagation = "" } = BindOptions;
  if (Source === "") throw invalidMount("bind", "field Source must not be empty");
  if (Propagation !== "" && !propagations.has(Propagation)) {
    throw invalidMount("bind", `invalid propagation mode: ${Propagation}`);
  }
  if (!Source.startsWith("/")) throw invalidMount("bind", notAbsolute(Source));
  if (!BindOptions.CreateMountpoint && !existsSync(Source)) {
    throw invalidMount("bind", `bind source path does not exist: ${Source}`);
  }
  return {
    plan: {
      ...bindPlan(clean(Source), Propagation || undefined),
      createSource: BindOptions.CreateMountpoint ?? false,
      ...(BindOptions.NonRecursive ? { nonRecursive: true } : {}),
      ...(ReadOnly && BindOptions.ReadOnlyNonRecursive ? { readOnlyNonRecursive: true } : {}),
      ...(ReadOnly && BindOptions.ReadOnlyForceRecursive ? { readOnlyForceRecursive: true } : {}),
    },
  };
}

function parseVolumeMount({ Source = "", ReadOnly, VolumeOptions = {} }: Mount): ParsedMount {
  const { Subpath = "", NoCopy = false, Labels, DriverConfig = {} } = VolumeOptions;
  if (Source === "" && ReadOnly) {
    throw invalidMount("volume", "must not set ReadOnly mode when using anonymous volumes");
  }
  if (Subpath !== "" && Source === "") {
    throw invalidMount("volume", "must not set Subpath when using anonymous volumes");
  }
  if (!isLocalPath(Subpath)) {
    throw invalidMount("volume", "subpath must be a relative path within the volume");
  }
  return {
    plan: { ...volumePlan(Source), copyData: !NoCopy, ...(Subpath === "" ? {} : { subpath: Subpath }) },
    ...(DriverConfig.Name ? { driver: DriverConfig.Name } : {}),
    ...(DriverConfig.Options ? { driverOptions: DriverConfig.Options } : {}),
    ...(Labels ? { labels: Labels } : {}),
  };
}

function parseTmpfsMount({ Source = "", ReadOnly, TmpfsOptions = {} }: Mount): ParsedMount {
  if (Source !== "") throw invalidMount("tmpfs", "field Source must not be specified");
  const { Mode = 0, SizeBytes = 0, Options = [] } = TmpfsOptions;
  const given = Options.map(([name = "", value]) => {
    const allowed = value === undefined ? ["exec", "noexec", "suid", "nosuid", "dev", "nodev"] : [];
    if (!allowed.includes(name)) throw invalidMount("tmpfs", `invalid option: ${name}`);
    return name;
  });
  const options = [
    ...(ReadOnly ? ["ro"] : []),
    ...(Mode === 0 ? [] : [`mode=${Mode.toString(8)}`]),
    ...(SizeBytes === 0 ? [] : [`size=${shortSize(SizeBytes)}`]),
    ...given,
  ];
  return { plan: tmpfsPlan(options) };
}

/** One `--tmpfs`. The destination has been checked with the rest of the HostConfig. */
export function parseTmpfs(destination: string, options: string): MountPlan {
  return { ...tmpfsPlan(options.split(",").filter(Boolean)), destination: clean(destination), hidden: true };
}

/** `container:mode` of `--volumes-from`. */
export function parseVolumesFrom(spec: string): { container: string; mode: string; rw: boolean } {
  if (spec === "") throw invalidArgument("volumes-from specification cannot be an empty string");
  const at = spec.indexOf(":");
  const [container, mode] = at < 0 ? [spec, ""] : [spec.slice(0, at), spec.slice(at + 1)];
  const words = mode.split(",");
  if (!isMode(mode) || words.some((word) => propagations.has(word) || word === "nocopy")) {
    throw invalidArgument(`invalid mode: ${mode}`);
  }
  return { container, mode, rw: !words.includes("ro") };
}

function bindPlan(source: string, propagation: string | undefined): MountPlan {
  const shown = propagation ?? "rprivate";
  return { ...emptyPlan("bind"), source, propagation: shown };
}

function volumePlan(name: string): MountPlan {
  return { ...emptyPlan("volume"), ...(name === "" ? { anonymous: true } : { name }) };
}

function tmpfsPlan(options: string[]): MountPlan {
  // Checked already here, for a container that can never start should not be made.
  mergeTmpfsOptions(options);
  return { ...emptyPlan("tmpfs"), options };
}

function emptyPlan(type: MountPlan["type"]): MountPlan {
  return {
    type,
    source: "",
    destination: "",
    mode: "",
    rw: true,
    propagation: "",
    copyData: false,
    createSource: false,
  };
}

/** Options of another type than the mount's own. */
function extraOptions(mount: Mount): string | undefined {
  const owners = {
    BindOptions: "bind",
    VolumeOptions: "volume",
    ImageOptions: "image",
    TmpfsOptions: "tmpfs",
  } as const;
  if (mount.Type === undefined || !(Object.values(owners) as string[]).includes(mount.Type)) return undefined;
  return (Object.keys(owners) as (keyof typeof owners)[]).find((field) => mount[field] && owners[field] !== mount.Type);
}

/** The kernel and the runtime would take it for the end: the path would be another than the one that was looked at. */
function hasNul(text: string | undefined): boolean {
  return text?.includes("\0") ?? false;
}

function targetProblem(target: string): string | undefined {
  if (posix.normalize(target).replace(/\/$/, "") === "") return "invalid specification: destination can't be '/'";
  return target.startsWith("/") ? undefined : notAbsolute(target);
}

function notAbsolute(path: string): string {
  return `invalid mount path: '${path}' mount path must be absolute`;
}

function invalidMount(type: string, reason: string) {
  return invalidArgument(`invalid mount config for type "${type}": ${reason}`);
}

function isLocalPath(path: string): boolean {
  return path === "" || (!path.startsWith("/") && !posix.normalize(path).split("/").includes(".."));
}

/** An absolute path without `..`, `//` or a last slash. */
export function clean(path: string): string {
  return posix.resolve("/", path);
}

/** Docker's way: the largest unit that divides the size. */
function shortSize(bytes: number): string {
  for (const [suffix, unit] of [
    ["g", 1 << 30],
    ["m", 1 << 20],
    ["k", 1 << 10],
  ] as const) {
    if (bytes % unit === 0) return `${bytes / unit}${suffix}`;
  }
  return String(bytes);
}
