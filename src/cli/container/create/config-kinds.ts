/** Flag kinds of `run` and `create`: what one occurrence of each flag may be, checked on the client with the docker CLI's messages. */
import type { DeviceRequest, ThrottleDevice, Ulimit, WeightDevice } from "../../../api/container-config.ts";
import { goQuote } from "../../../base/go-quote.ts";
import { type FlagKind, itemsKind, splitCsv, splitPair } from "../../flag-kinds.ts";
import { parseRamBytes } from "../../values/go-values.ts";
import { canonicalIpv6, ipVersion } from "../../values/ip-address.ts";

export function attachStream(value: string): string {
  const stream = value.toLowerCase();
  if (["stdin", "stdout", "stderr"].includes(stream)) return stream;
  throw new Error("valid streams are STDIN, STDOUT and STDERR");
}

export function deviceCgroupRule(value: string): string {
  if (/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(value)) return value;
  throw new Error(`invalid device cgroup format '${value}'`);
}

/** `NAME` takes its value from this process's environment; where it has none, the name alone is sent and means "unset". */
export function envVariable(value: string): string {
  const [name] = splitPair(value);
  if (name === "") throw new Error(`invalid environment variable: ${value}`);
  if (value.includes("=")) return value;
  const found = process.env[name];
  return found === undefined ? value : `${name}=${found}`;
}

export function label(value: string): string {
  const [name] = splitPair(value);
  if (name.trimStart() === "") throw new Error(`invalid label '${value}': empty name`);
  return value;
}

const sysctls = ["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"];

export function sysctl(value: string): string {
  const [name] = splitPair(value);
  const known = sysctls.some((suffix) => name === `kernel.${suffix}`);
  if (value.includes("=") && (known || name.startsWith("net.") || name.startsWith("fs.mqueue."))) return value;
  throw new Error(`sysctl '${value}' is not allowed`);
}

/** Canonical form of an address. */
export function ipAddress(value: string): string {
  const text = value.trim();
  if (ipVersion(text) === 0) throw new Error(`IP address is not correctly formatted: ${value}`);
  return ipVersion(text) === 4 ? text : (canonicalIpv6(text) ?? text);
}

/** `host:ip` or `host=ip`, the address possibly in brackets. */
export function extraHost(value: string): string {
  const at = value.includes("=") ? value.indexOf("=") : value.indexOf(":");
  const host = value.slice(0, Math.max(at, 0));
  if (host === "" || host.includes(":")) throw new Error(`bad format for add-host: ${goQuote(value)}`);
  const address = value.slice(at + 1).replace(/^\[(.+)\]$/, "$1");
  if (address !== "host-gateway" && ipVersion(address.trim()) === 0) {
    throw new Error(`invalid IP address in add-host: ${goQuote(address)}`);
  }
  return `${host}:${address}`;
}

export function dnsSearch(value: string): string {
  const domain = value.trim();
  if (domain === ".") return domain;
  const isName =
    /^(:?(:?[a-zA-Z0-9]|(:?[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))(:?\.(:?[a-zA-Z0-9]|(:?[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])))*)\.?\s*$/;
  if (/[a-zA-Z]/.test(domain) && domain.length < 255 && isName.test(domain)) return domain;
  throw new Error(`${value} is not a valid domain`);
}

export function link(value: string): string {
  if (value === "") throw new Error("empty string specified for links");
  if (value.split(":").length > 2) throw new Error(`bad format for links: ${value}`);
  return value;
}

const ulimitNames =
  "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(" ");

/** By name: the last one given for a name counts. */
export const ulimits: FlagKind<Record<string, Ulimit>> = {
  typeName: "ulimit",
  showDefault: () => "[]",
  parse: (text, previous) => {
    const limit = parseUlimit(text);
    return { ...previous, [limit.Name]: limit };
  },
};

function parseUlimit(text: string): Ulimit {
  const [name, values] = splitPair(text);
  if (!text.includes("=")) throw new Error(`invalid ulimit argument: ${text}`);
  if (!ulimitNames.includes(name)) throw new Error(`invalid ulimit type: ${name}`);
  const parts = values.split(":");
  if (parts.length > 2) {
    throw new Error(`too many limit value arguments - ${values}, can only have up to two, \`soft[:hard]\``);
  }
  const [soft = 0, hard = soft] = parts.map((part) => {
    if (!/^[+-]?\d+$/.test(part)) throw new Error(`strconv.ParseInt: parsing ${goQuote(part)}: invalid syntax`);
    return Number(part);
  });
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    if (soft === -1)
      throw new Error(
        `ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: ${hard}`,
      );
    throw new Error(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  }
  return { Name: name, Hard: hard, Soft: soft };
}

/** `1.5` CPUs → 1500000000. */
export const nanoCpus: FlagKind<number> = {
  typeName: "decimal",
  showDefault: () => "",
  parse: (text) => {
    const match = /^([+-]?\d*\.?\d*)(?:[eE]([+-]?\d+))?$/.exec(text);
    const fraction = /^([+-]?\d+)\/(\d+)$/.exec(text);
    const cpus = fraction
      ? Number(fraction[1]) / Number(fraction[2])
      : match && /\d/.test(text)
        ? Number(text)
        : Number.NaN;
    if (Number.isNaN(cpus)) throw new Error(`failed to parse ${text} as a rational number`);
    const nano = cpus * 1e9;
    if (Math.abs(nano - Math.round(nano)) > 1e-3) throw new Error("value is too precise");
    return Math.round(nano);
  },
};

export const swapBytes: FlagKind<number> = {
  typeName: "bytes",
  showDefault: () => "",
  parse: (text) => (text === "-1" ? -1 : parseRamBytes(text)),
};

function devicePath(text: string): [string, string] {
  const at = text.indexOf(":");
  if (at <= 0) throw new Error(`bad format: ${text}`);
  if (!text.startsWith("/dev/")) throw new Error(`bad format for device path: ${text}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

export const weightDevices = itemsKind<WeightDevice>(
  "list",
  (text) => {
    const [path, value] = devicePath(text);
    const weight = Number(value);
    const valid = /^\d+$/.test(value) && (weight === 0 || (weight >= 10 && weight <= 1000));
    if (!valid) throw new Error(`invalid weight for device: ${text}`);
    return { Path: path, Weight: weight };
  },
  "[]",
);

export const throttleBps = itemsKind<ThrottleDevice>(
  "list",
  (text) => {
    const [path, value] = devicePath(text);
    try {
      return { Path: path, Rate: parseRamBytes(value) };
    } catch {
      throw new Error(
        `invalid rate for device: ${text}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb`,
      );
    }
  },
  "[]",
);

export const throttleIops = itemsKind<ThrottleDevice>(
  "list",
  (text) => {
    const [path, value] = devicePath(text);
    if (/^\d+$/.test(value)) return { Path: path, Rate: Number(value) };
    throw new Error(
      `invalid rate for device: ${text}. The correct format is <device-path>:<number>. Number must be a positive integer`,
    );
  },
  "[]",
);

export const gpus = itemsKind<DeviceRequest>("gpu-request", parseGpus);

function parseGpus(text: string): DeviceRequest {
  const request: Required<DeviceRequest> = {
    Driver: "",
    Count: 0,
    DeviceIDs: null,
    Capabilities: [["gpu"]],
    Options: {},
  };
  const seen = new Set<string>();
  for (const field of splitCsv(text)) {
    const [key, value] = splitPair(field);
    if (seen.has(key)) throw new Error(`gpu request key '${key}' can be specified only once`);
    seen.add(key);
    if (!field.includes("=")) {
      seen.add("count");
      request.Count = gpuCount(key);
    } else if (key === "driver") request.Driver = value;
    else if (key === "count") request.Count = gpuCount(value);
    else if (key === "device") request.DeviceIDs = value.split(",");
    else if (key === "capabilities") request.Capabilities = [[...value.split(","), "gpu"]];
    else if (key === "options") request.Options = Object.fromEntries(splitCsv(value).map(splitPair));
    else throw new Error(`unexpected key '${key}' in '${field}'`);
  }
  if (!seen.has("count") && request.DeviceIDs === null) request.Count = 1;
  return request;
}

function gpuCount(text: string): number {
  if (text === "all") return -1;
  if (/^[+-]?\d+$/.test(text)) return Number(text);
  throw new Error(`invalid count (${text}): value must be either "all" or an integer: invalid syntax`);
}
