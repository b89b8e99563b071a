/** Puts devices of the Container Device Interface into a runtime spec. */
import type { DeviceRequest } from "../../api/container-config.ts";
import { internal, invalidArgument } from "../../base/errors.ts";
import { readDevice } from "../../linux/devices.ts";
import type { RuntimeSpec, SpecHooks } from "../../oci/runtime-spec.ts";
import { type CdiDevice, type CdiDeviceNode, type CdiHook, type ContainerEdits, readCdiDevices } from "./cdi-spec.ts";

const hookNames: readonly (keyof SpecHooks)[] = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
];

/** Changes `spec`. Throws dockerd's words for a device that no file describes, and for edits that cannot be made. */
export function injectCdiDevices(
  spec: RuntimeSpec,
  requests: readonly DeviceRequest[],
  directories: readonly string[],
): void {
  const names = requests.filter(({ Driver }) => Driver === "cdi").flatMap(namesOf);
  if (names.length === 0) return;
  if (directories.length === 0) throw failed("no CDI specification directories specified");
  const { devices, problems } = readCdiDevices(directories);
  const missing = names.filter((name) => !devices.has(name));
  if (missing.length > 0) {
    const why = problems.length > 0 ? ` (${problems.join("; ")})` : "";
    throw failed(`unresolvable CDI devices ${missing.join(", ")}${why}`);
  }
  const chosen = [...new Set(names)].map((name) => devices.get(name) as CdiDevice);
  const edits = new Set(chosen.flatMap(({ common, edits: own }) => [common, own]));
  for (const edit of edits) applyEdits(spec, edit);
}

function namesOf({ Count, Options, DeviceIDs }: DeviceRequest): string[] {
  if (Count) throw invalidArgument("unexpected count in CDI device request");
  if (Object.keys(Options ?? {}).length > 0) throw invalidArgument("unexpected options in CDI device request");
  return DeviceIDs ?? [];
}

function failed(why: string): Error {
  return internal(`CDI device injection failed: ${why}`);
}

function applyEdits(spec: RuntimeSpec, edits: ContainerEdits): void {
  if (edits.intelRdt) throw failed("intelRdt is not supported");
  if (edits.netDevices?.length) throw failed("netDevices are not supported");
  for (const entry of edits.env ?? []) setEnv(spec.process.env, entry);
  for (const node of edits.deviceNodes ?? []) addDevice(spec, node);
  for (const { hostPath, containerPath, options, type } of edits.mounts ?? []) {
    spec.mounts = spec.mounts.filter(({ destination }) => destination !== containerPath);
    spec.mounts.push({
      destination: containerPath,
      source: hostPath,
      type: type ?? "bind",
      ...(options ? { options } : {}),
    });
  }
  for (const hook of edits.hooks ?? []) addHook(spec, hook);
  const { user } = spec.process;
  const gids = (edits.additionalGids ?? []).filter((gid) => gid !== 0);
  if (gids.length > 0) user.additionalGids = [...new Set([...(user.additionalGids ?? []), ...gids])];
}

function setEnv(env: string[], entry: string): void {
  const prefix = `${entry.split("=", 1)[0]}=`;
  const at = env.findIndex((present) => present.startsWith(prefix));
  if (at < 0) env.push(entry);
  else env[at] = entry;
}

/** What the file does not say of a node is the host's; its owner is the container's user. */
function addDevice(spec: RuntimeSpec, node: CdiDeviceNode): void {
  const { path, hostPath = path, permissions = "rwm" } = node;
  const host = node.type !== undefined && node.major !== undefined ? undefined : readDevice(hostPath);
  const type = (node.type ?? host?.type) as "c" | "b" | "u" | "p" | undefined;
  if (type === undefined) throw failed(`${hostPath} is not a device node`);
  const { major = host?.major ?? 0, minor = host?.minor ?? 0, fileMode = (host?.mode ?? 0o666) & 0o777 } = node;
  const { linux, process } = spec;
  const { uid = process.user.uid, gid = process.user.gid } = node;
  const others = (linux.devices ?? []).filter((device) => device.path !== path);
  linux.devices = [...others, { path, type, major, minor, fileMode, uid, gid }];
  if (type !== "b" && type !== "c") return;
  linux.resources = {
    ...linux.resources,
    devices: [...(linux.resources?.devices ?? []), { allow: true, type, major, minor, access: permissions }],
  };
}

function addHook(spec: RuntimeSpec, { hookName, path, args, env, timeout }: CdiHook): void {
  const name = hookNames.find((known) => known === hookName);
  if (!name) throw failed(`invalid hook, name: ${JSON.stringify(hookName)}`);
  const hook = { path, ...(args ? { args } : {}), ...(env ? { env } : {}), ...(timeout ? { timeout } : {}) };
  spec.hooks = { ...spec.hooks, [name]: [...(spec.hooks?.[name] ?? []), hook] };
}
