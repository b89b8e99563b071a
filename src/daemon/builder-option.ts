/** `builder` in daemon.json, which is no flag. Source: dockerd's configuration reference, "builder"; moby daemon/config/builder.go. */

import type { GcConfig, GcRule, GcSize } from "../builder/cache/gc-policy.ts";
import { recordFilters } from "../builder/cache/record-filter.ts";
import { type Kind, OptionError, size } from "./option-kinds.ts";

const defaultNames = ["defaultReservedSpace", "defaultKeepStorage"];
const ruleNames = ["reservedSpace", "keepStorage"];
const filterNames = ["until", "unused-for", ...recordFilters];

export const builderOption: Kind<GcConfig> = {
  goType: "config.BuilderConfig",
  fromFlag: () => {
    throw new OptionError("it belongs into daemon.json");
  },
  fromJson: (value) => {
    const { gc = {}, entitlements = {} } = fields(lowerKeys(value), "builder", ["gc", "entitlements"]);
    checkEntitlements(entitlements);
    const { enabled = false, policy, ...sizes } = fields(gc, "builder.gc", ["enabled", "policy", ...defaultNames]);
    if (typeof enabled !== "boolean") throw wrong("builder.gc.enabled", "true or false");
    if (policy !== undefined && !Array.isArray(policy)) throw wrong("builder.gc.policy", "a list of rules");
    return { enabled, defaultKeep: oneSize(sizes, defaultNames), rules: policy?.map(readRule) };
  },
  show: JSON.stringify,
};

/** dockerd's own fields are `GC` and `Entitlements`, and its JSON knows no case. */
function lowerKeys(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key.toLowerCase(), field]));
}

/** What builds may ask for cannot be changed: the host's network they may, more rights than other containers they may not. */
function checkEntitlements(value: unknown): void {
  const fixed = { "network-host": true, "security-insecure": false, device: false };
  const given = fields(value, "builder.entitlements", Object.keys(fixed));
  for (const [name, only] of Object.entries(fixed)) {
    if (given[name] !== undefined && given[name] !== only) {
      throw new OptionError(`builder.entitlements.${name} must be ${only}: nothing else is built yet`);
    }
  }
}

function readRule(value: unknown): GcRule {
  const { all = false, filter = [], ...sizes } = fields(value, "builder.gc.policy", ["all", "filter", ...ruleNames]);
  if (typeof all !== "boolean") throw wrong("builder.gc.policy.all", "true or false");
  if (!Array.isArray(filter)) throw wrong("builder.gc.policy.filter", "a list of NAME=VALUE");
  const filters: Record<string, string[]> = {};
  for (const text of filter) {
    const [, given = "", wanted = ""] = /^([^=]+)(?:[=~]?=(.*))?$/.exec(String(text)) ?? [];
    if (!filterNames.includes(given)) throw new OptionError(`builder.gc.policy: invalid filter '${text}'`);
    const name = given === "unused-for" ? "until" : given;
    filters[name] = [...(filters[name] ?? []), wanted];
  }
  return { all, keep: oneSize(sizes, ruleNames), filters };
}

/** Newer and older names of one size. */
function oneSize(values: Record<string, unknown>, names: readonly string[]): GcSize | undefined {
  const given = names.map((name) => values[name]).find((value) => value !== undefined && value !== "");
  if (given === undefined) return undefined;
  const percent = /^(\d{1,3})%$/.exec(String(given))?.[1];
  return percent === undefined ? size.fromJson(given) : { percent: Number(percent) };
}

/** What is not known would be ignored otherwise. */
function fields(value: unknown, name: string, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(name, "an object");
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new OptionError(`${name}.${unknown} is not supported`);
  return value as Record<string, unknown>;
}

function wrong(name: string, wanted: string): OptionError {
  return new OptionError(`${name} must be ${wanted}`);
}
