/** `--security-opt`, with dockerd's own reading and messages. */
import { internal } from "../../../base/errors.ts";
import { parseGoBool } from "../../../base/go-bool.ts";

export interface SecurityOptions {
  /** Absent: as the daemon has it. */
  noNewPrivileges?: boolean;
  /** `unconfined`, `builtin`, a profile as JSON, or absent for the default. */
  seccomp?: string;
  apparmor?: string;
  labels: string[];
  writableCgroups?: boolean;
}

/** Later options win. Throws Docker's message for what it does not know. */
export function parseSecurityOptions(options: readonly string[] | null | undefined): SecurityOptions {
  const result: SecurityOptions = { labels: [] };
  for (const option of options ?? []) apply(result, option);
  return result;
}

function apply(result: SecurityOptions, option: string): void {
  if (option === "no-new-privileges") {
    result.noNewPrivileges = true;
    return;
  }
  if (option === "writable-cgroups") {
    result.writableCgroups = true;
    return;
  }
  if (option === "disable") {
    result.labels.push("disable");
    return;
  }
  // A colon is the old separator; a value may hold either.
  const at = option.includes("=") ? option.indexOf("=") : option.indexOf(":");
  if (at < 0) throw internal(`invalid --security-opt 1: ${JSON.stringify(option)}`);
  const [key, value] = [option.slice(0, at), option.slice(at + 1)];
  if (key === "label") result.labels.push(value);
  else if (key === "apparmor") result.apparmor = value;
  else if (key === "seccomp") result.seccomp = value;
  else if (key === "no-new-privileges") result.noNewPrivileges = parseBool(value, option);
  else if (key === "writable-cgroups") result.writableCgroups = parseBool(value, option);
  else throw invalid(option);
}

function parseBool(value: string, option: string): boolean {
  const parsed = parseGoBool(value);
  if (parsed === undefined) throw invalid(option);
  return parsed;
}

function invalid(option: string) {
  return internal(`invalid --security-opt 2: ${JSON.stringify(option)}`);
}
