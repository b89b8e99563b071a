/** The `--mount` flag: `type=bind,source=…,target=…`, with the checks and messages of the docker CLI. */
import { resolve } from "node:path";
import type { Mount, MountType } from "../../../api/container-config.ts";
import { itemsKind, splitCsv, splitPair } from "../../flag-kinds.ts";
import { parseGoBool, parseRamBytes } from "../../values/go-values.ts";

export const mounts = itemsKind<Mount>("mount", parseMount);

const bareMountKeys = ["readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src"];

/** One `--mount`: comma-separated `key=value`. */
export function parseMount(text: string): Mount {
  if (text === "") throw new Error("EOF");
  const mount: Mount = { Type: "volume" };
  for (const field of splitCsv(text)) {
    const [name, value] = splitPair(field);
    const key = name.toLowerCase();
    if (field.includes("=")) setMountField(mount, key, value, field);
    else if (bareMountKeys.includes(key)) setMountField(mount, key, "true", field);
    else throw new Error(`invalid field '${field}' must be a key=value pair`);
  }
  checkMount(mount);
  return mount;
}

function mountBool(key: string, value: string): boolean {
  try {
    return parseGoBool(value);
  } catch {
    throw new Error(`invalid value for ${key}: ${value}`);
  }
}

function setMountField(mount: Mount, key: string, value: string, field: string): void {
  switch (key) {
    case "type":
      mount.Type = value.toLowerCase() as MountType;
      return;
    case "source":
    case "src":
      mount.Source = value === "." || value.startsWith("./") || value.startsWith("../") ? resolve(value) : value;
      return;
    case "target":
    case "dst":
    case "destination":
      mount.Target = value;
      return;
    case "readonly":
    case "ro":
      if (mountBool(key, value)) mount.ReadOnly = true;
      else delete mount.ReadOnly;
      return;
    case "consistency":
      mount.Consistency = value.toLowerCase();
      return;
  }
  if (key.startsWith("bind-")) setBindField(mount, key, value, field);
  else if (key.startsWith("volume-")) setVolumeField(mount, key, value, field);
  else if (key === "image-subpath") mount.ImageOptions = { Subpath: value };
  else setTmpfsField(mount, key, value, field);
}

function setBindField(mount: Mount, key: string, value: string, field: string): void {
  mount.BindOptions ??= {};
  const bind = mount.BindOptions;
  if (key === "bind-propagation") bind.Propagation = value.toLowerCase();
  else if (key === "bind-nonrecursive") bind.NonRecursive = mountBool(key, value);
  else if (key === "bind-create-src") bind.CreateMountpoint = mountBool(key, value);
  else if (key !== "bind-recursive") throw new Error(`unexpected key '${key}' in '${field}'`);
  else if (value === "disabled") bind.NonRecursive = true;
  else if (value === "writable") bind.ReadOnlyNonRecursive = true;
  else if (value === "readonly") bind.ReadOnlyForceRecursive = true;
  else if (value !== "enabled") {
    throw new Error(`invalid value for ${key}: ${value} (must be "enabled", "disabled", "writable", or "readonly")`);
  }
}

function setVolumeField(mount: Mount, key: string, value: string, field: string): void {
  mount.VolumeOptions ??= { DriverConfig: {} };
  const volume = mount.VolumeOptions;
  const [name, text] = splitPair(value);
  if (key === "volume-nocopy") volume.NoCopy = mountBool(key, value);
  else if (key === "volume-subpath") volume.Subpath = value;
  else if (key === "volume-label") {
    if (name !== "") volume.Labels = { ...volume.Labels, [name]: text };
  } else if (key === "volume-driver") volume.DriverConfig = { ...volume.DriverConfig, Name: value };
  else if (key === "volume-opt") {
    const options = { ...volume.DriverConfig?.Options, ...(name === "" ? {} : { [name]: text }) };
    volume.DriverConfig = { ...volume.DriverConfig, Options: options };
  } else throw new Error(`unexpected key '${key}' in '${field}'`);
}

function setTmpfsField(mount: Mount, key: string, value: string, field: string): void {
  if (key !== "tmpfs-size" && key !== "tmpfs-mode") throw new Error(`unexpected key '${key}' in '${field}'`);
  mount.TmpfsOptions ??= {};
  if (key === "tmpfs-mode") {
    if (!/^[0-7]+$/.test(value)) throw new Error(`invalid value for ${key}: ${value}`);
    mount.TmpfsOptions.Mode = Number.parseInt(value, 8);
    return;
  }
  try {
    mount.TmpfsOptions.SizeBytes = parseRamBytes(value);
  } catch {
    throw new Error(`invalid value for ${key}: ${value}`);
  }
}

function checkMount(mount: Mount): void {
  if (!mount.Type) throw new Error("type is required");
  if (!mount.Target) throw new Error("target is required");
  const mixed = (kind: string) => new Error(`cannot mix '${kind}-*' options with mount type '${mount.Type}'`);
  if (mount.VolumeOptions && mount.Type !== "volume") throw mixed("volume");
  if (mount.ImageOptions && mount.Type !== "image") throw mixed("image");
  if (mount.BindOptions && mount.Type !== "bind") throw mixed("bind");
  if (mount.TmpfsOptions && mount.Type !== "tmpfs") throw mixed("tmpfs");
  if (mount.BindOptions?.ReadOnlyNonRecursive && !mount.ReadOnly) {
    throw new Error("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction");
  }
  if (mount.BindOptions?.ReadOnlyForceRecursive) {
    if (!mount.ReadOnly) {
      throw new Error("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction");
    }
    if (mount.BindOptions.Propagation !== "rprivate") {
      throw new Error(
        "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction",
      );
    }
  }
}
