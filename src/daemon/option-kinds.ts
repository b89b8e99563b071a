/** The kinds of values that daemon options take: how each is read from a flag and from daemon.json, with dockerd's complaints. */
import { isIP } from "node:net";
import { parseGoBool } from "../base/go-bool.ts";
import { maskPassword } from "./proxies.ts";

/** Thrown by readers; whoever knows the option's name puts it in front. */
export class OptionError extends Error {
  override readonly name = "OptionError";
}

export interface Kind<T> {
  /** A flag that may stand alone (`--debug`). */
  readonly switch?: boolean;
  /** Several flags add up. */
  readonly repeated?: boolean;
  /** Go's type, for messages about daemon.json. */
  readonly goType: string;
  /** Reads one flag's text onto what earlier flags gave. Throws OptionError. */
  fromFlag(text: string, before: T | undefined): T;
  /** Throws OptionError. */
  fromJson(value: unknown): T;
  /** As Go prints it, in messages about conflicts. */
  show(value: T): string;
}

export interface RuntimeConfig {
  path: string;
  runtimeArgs: string[];
}

export interface UlimitConfig {
  Name: string;
  Soft: number;
  Hard: number;
}

export interface AddressPool {
  base: string;
  size: number;
}

function wrongType(value: unknown, goType: string): OptionError {
  const type = Array.isArray(value)
    ? "array"
    : value === null
      ? "null"
      : typeof value === "boolean"
        ? "bool"
        : typeof value;
  return new OptionError(`json: cannot unmarshal ${type} into Go struct field Config.NAME of type ${goType}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

type Check = (text: string) => string | undefined;

/** A text; `check` returns what is wrong with it. */
export function text(check: Check = () => undefined): Kind<string> {
  const checked = (value: string): string => {
    const complaint = check(value);
    if (complaint !== undefined) throw new OptionError(complaint);
    return value;
  };
  return {
    goType: "string",
    fromFlag: (value) => checked(value),
    fromJson: (value) => {
      if (typeof value !== "string") throw wrongType(value, "string");
      return checked(value);
    },
    show: (value) => value,
  };
}

/** A URL that may have a password, which is not shown. */
export const proxyUrl: Kind<string> = { ...text(), show: maskPassword };

export const toggle: Kind<boolean> = {
  switch: true,
  goType: "bool",
  fromFlag: (value) => {
    const parsed = parseGoBool(value);
    if (parsed !== undefined) return parsed;
    throw new OptionError(`strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`);
  },
  fromJson: (value) => {
    if (typeof value !== "boolean") throw wrongType(value, "bool");
    return value;
  },
  show: String,
};

export const integer: Kind<number> = {
  goType: "int",
  fromFlag: (value) => {
    if (!/^[+-]?\d+$/.test(value)) {
      throw new OptionError(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
    }
    return Number(value);
  },
  fromJson: (value) => {
    if (typeof value !== "number" || !Number.isInteger(value)) throw wrongType(value, "int");
    return value;
  },
  show: String,
};

const units: Record<string, number> = { "": 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40, p: 2 ** 50 };

/** `64m`, `1.5GiB`; plain numbers are bytes. */
export const size: Kind<number> = {
  goType: "opts.MemBytes",
  fromFlag: (value) => {
    const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(value);
    if (!match) throw new OptionError(`invalid size: '${value}'`);
    return Math.trunc(Number(match[1]) * (units[(match[2] as string).toLowerCase()] as number));
  },
  fromJson: (value) => {
    if (typeof value === "number") return value;
    if (typeof value !== "string") throw wrongType(value, "opts.MemBytes");
    return size.fromFlag(value, undefined);
  },
  show: String,
};

/** Flags given several times, or an array of strings. */
export function list(check: Check = () => undefined): Kind<string[]> {
  const item = text(check);
  return {
    repeated: true,
    goType: "[]string",
    fromFlag: (value, before = []) => [...before, item.fromFlag(value, undefined)],
    fromJson: (value) => {
      if (!Array.isArray(value)) throw wrongType(value, "[]string");
      return value.map((entry) => item.fromJson(entry));
    },
    show: (values) => `[${values.join(" ")}]`,
  };
}

/** `key=value` flags, or an object of strings. */
export const pairs: Kind<Record<string, string>> = {
  repeated: true,
  goType: "map[string]string",
  fromFlag: (value, before = {}) => {
    const equals = value.indexOf("=");
    return { ...before, [equals < 0 ? value : value.slice(0, equals)]: equals < 0 ? "" : value.slice(equals + 1) };
  },
  fromJson: (value) => {
    if (!isRecord(value)) throw wrongType(value, "map[string]string");
    for (const item of Object.values(value)) if (typeof item !== "string") throw wrongType(item, "string");
    return value as Record<string, string>;
  },
  show: (value) =>
    `map[${Object.entries(value)
      .map(([key, item]) => `${key}:${item}`)
      .join(" ")}]`,
};

/** Features that this daemon can have or not, and those of dockerd's that it always or never has. */
const knownFeatures: Record<string, readonly boolean[]> = {
  buildkit: [true, false],
  cdi: [true, false],
  "containerd-snapshotter": [false],
};

/** `name` or `name=true` flags, or an object of booleans. */
export const features: Kind<Record<string, boolean>> = {
  repeated: true,
  goType: "map[string]bool",
  fromFlag: (value, before = {}) => {
    const [name = "", text = "true"] = value.split("=");
    return { ...before, ...knownFeature(name, toggle.fromFlag(text, undefined)) };
  },
  fromJson: (value) => {
    if (!isRecord(value)) throw wrongType(value, "map[string]bool");
    const entries = Object.entries(value).map(([name, item]) => knownFeature(name, toggle.fromJson(item)));
    return Object.assign({}, ...entries);
  },
  show: (value) => pairs.show(Object.fromEntries(Object.entries(value).map(([name, item]) => [name, String(item)]))),
};

function knownFeature(name: string, on: boolean): Record<string, boolean> {
  if (knownFeatures[name]?.includes(on)) return { [name]: on };
  throw new OptionError(`feature ${name}=${on} is not built`);
}

/** By network driver, `bridge=com.docker.network.driver.mtu=1400`: an object of objects of strings. */
export const networkOptions: Kind<Record<string, Record<string, string>>> = {
  repeated: true,
  goType: "map[string]map[string]string",
  fromFlag: (value, before = {}) => {
    const match = /^([^=]+)=([^=]+=.*)$/.exec(value);
    if (!match?.[1] || !match[2]) {
      throw new OptionError(
        `invalid default network option ${JSON.stringify(value)}: it should be DRIVER=OPTION=VALUE`,
      );
    }
    return { ...before, [match[1]]: pairs.fromFlag(match[2], before[match[1]]) };
  },
  fromJson: (value) => {
    if (!isRecord(value)) throw wrongType(value, "map[string]map[string]string");
    return Object.fromEntries(Object.entries(value).map(([driver, options]) => [driver, pairs.fromJson(options)]));
  },
  show: (value) =>
    `map[${Object.entries(value)
      .map(([driver, options]) => `${driver}:${pairs.show(options)}`)
      .join(" ")}]`,
};

export const runtimes: Kind<Record<string, RuntimeConfig>> = {
  repeated: true,
  goType: "map[string]system.Runtime",
  fromFlag: (value, before = {}) => {
    const match = /^([^=]+)=(.+)$/.exec(value);
    if (!match) throw new OptionError(`invalid runtime argument: ${value}`);
    const [, name, path] = match as unknown as [string, string, string];
    if (Object.hasOwn(before, name)) throw new OptionError(`runtime '${name}' was already defined`);
    return { ...before, [name]: { path, runtimeArgs: [] } };
  },
  fromJson: (value) => {
    if (!isRecord(value)) throw wrongType(value, runtimes.goType);
    return Object.fromEntries(Object.entries(value).map(([name, runtime]) => [name, runtimeFromJson(name, runtime)]));
  },
  show: (value) => `[${Object.keys(value).join(" ")}]`,
};

function runtimeFromJson(name: string, value: unknown): RuntimeConfig {
  if (!isRecord(value)) throw wrongType(value, "system.Runtime");
  if (value["runtimeType"] !== undefined || value["options"] !== undefined) {
    throw new OptionError(`invalid runtime '${name}': runtimeType and options (containerd shims) are not supported`);
  }
  const { path, runtimeArgs = [] } = value;
  if (typeof path !== "string" || path === "") throw new OptionError(`invalid runtime '${name}': path is missing`);
  return { path, runtimeArgs: list().fromJson(runtimeArgs) };
}

export const ulimits: Kind<Record<string, UlimitConfig>> = {
  repeated: true,
  goType: "map[string]*container.Ulimit",
  fromFlag: (value, before = {}) => {
    const match = /^(\w+)=(-?\d+)(?::(-?\d+))?$/.exec(value);
    if (!match) throw new OptionError(`invalid ulimit argument: ${value}`);
    const [, name, soft, hard = soft] = match as unknown as [string, string, string, string | undefined];
    return { ...before, [name]: ulimit(name, Number(soft), Number(hard)) };
  },
  fromJson: (value) => {
    if (!isRecord(value)) throw wrongType(value, ulimits.goType);
    return Object.fromEntries(
      Object.entries(value).map(([name, entry]) => {
        if (!isRecord(entry)) throw wrongType(entry, "container.Ulimit");
        return [name, ulimit(name, integer.fromJson(entry["Soft"] ?? 0), integer.fromJson(entry["Hard"] ?? 0))];
      }),
    );
  },
  show: (value) => `[${Object.keys(value).join(" ")}]`,
};

const ulimitNames = "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack";

function ulimit(name: string, soft: number, hard: number): UlimitConfig {
  if (!ulimitNames.split(" ").includes(name)) throw new OptionError(`invalid ulimit type: ${name}`);
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw new OptionError(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  }
  return { Name: name, Soft: soft, Hard: hard };
}

export const addressPools: Kind<AddressPool[]> = {
  repeated: true,
  goType: "[]*ipamutils.NetworkToSplit",
  fromFlag: (value, before = []) => {
    const fields: Record<string, string> = {};
    for (const part of value.split(",")) {
      const [key = "", item] = part.split("=", 2);
      if (item === undefined) throw new OptionError(`invalid field '${part}' must be a key=value pair`);
      if (key !== "base" && key !== "size") throw new OptionError(`unexpected key '${key}' in '${part}'`);
      fields[key] = item;
    }
    return [...before, addressPool(fields["base"] ?? "", integer.fromFlag(fields["size"] ?? "", undefined))];
  },
  fromJson: (value) => {
    if (!Array.isArray(value)) throw wrongType(value, addressPools.goType);
    return value.map((entry: unknown) => {
      if (!isRecord(entry)) throw wrongType(entry, "ipamutils.NetworkToSplit");
      return addressPool(text().fromJson(entry["base"]), integer.fromJson(entry["size"]));
    });
  },
  show: (value) => `[${value.map(({ base, size: bits }) => `{${base} ${bits}}`).join(" ")}]`,
};

function addressPool(base: string, bits: number): AddressPool {
  const [address = "", prefix = ""] = base.split("/");
  if (isIP(address) === 0 || !/^\d+$/.test(prefix)) throw new OptionError(`invalid base pool ${JSON.stringify(base)}`);
  const longest = isIP(address) === 6 ? 128 : 32;
  if (Number(prefix) > longest || bits < Number(prefix) || bits > longest)
    throw new OptionError(`invalid size ${bits} for base pool ${base}`);
  return { base, size: bits };
}

// Checks of texts. Each returns what is wrong.

export const ipAddress: Check = (value) => (isIP(value) === 0 ? `invalid IP address: ${value}` : undefined);

const cidr =
  (family: 4 | 6): Check =>
  (value) => {
    const [address = "", prefix = ""] = value.split("/");
    const fine = isIP(address) === family && /^\d+$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
    return fine ? undefined : `invalid CIDR address: ${value}`;
  };

export const ipv4Cidr = cidr(4);
export const ipv6Cidr = cidr(6);

export const keyValue: Check = (value) => (/^[^=]+=/.test(value) ? undefined : `bad attribute format: ${value}`);

export const oneOf =
  (values: readonly string[], complaint: (value: string) => string): Check =>
  (value) =>
    values.includes(value) ? undefined : complaint(value);

/** The URL of a registry mirror; dockerd's words for what is none. */
export function mirrorUrl(value: string): string | undefined {
  const shown = JSON.stringify(value);
  if (!URL.canParse(value)) return `invalid mirror: ${shown} is not a valid URI`;
  const url = new URL(value);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return `invalid mirror: no scheme specified for ${shown}: must use either 'https://' or 'http://'`;
  }
  if (url.search !== "" || url.hash !== "") return `invalid mirror: query or fragment at end of the URI ${shown}`;
  if (url.username !== "") return `invalid mirror: username/password not allowed in URI ${shown}`;
  return undefined;
}
