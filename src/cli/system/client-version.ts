/** What `version` and `info` say about this program. */
import { apiVersion } from "../../api/system.ts";
import { type CliContext, cliVersion } from "../context.ts";

// Set by `bun build --define` when an executable is made; absent when run from source.
declare const GANTRY_COMMIT: string | undefined;
declare const GANTRY_BUILD_TIME: string | undefined;

export interface ClientVersion {
  Version: string;
  ApiVersion?: string;
  DefaultAPIVersion: string;
  GitCommit: string;
  GoVersion: string;
  Os: string;
  Arch: string;
  BuildTime: string;
  Context: string;
}

/** The field names are those of docker's templates; GoVersion carries the version of what runs us. */
export function clientVersion(context: CliContext): ClientVersion {
  return {
    Version: cliVersion,
    DefaultAPIVersion: apiVersion,
    GitCommit: typeof GANTRY_COMMIT === "string" ? GANTRY_COMMIT : "",
    GoVersion: `bun${Bun.version}`,
    Os: process.platform,
    Arch: process.arch === "x64" ? "amd64" : process.arch,
    BuildTime: typeof GANTRY_BUILD_TIME === "string" ? ansiTime(GANTRY_BUILD_TIME) : "",
    Context: context.contextName,
  };
}

/** RFC 3339 → `Tue Sep 15 11:02:57 2026` (Go's ANSIC); other text stays. */
export function ansiTime(text: string): string {
  const date = /^\d{4}-\d\d-\d\dT/.test(text) ? new Date(text) : undefined;
  if (!date || Number.isNaN(date.getTime())) return text;
  const [, weekday, day, month, year, time] = /^(\w+), (\d+) (\w+) (\d+) ([\d:]+)/.exec(date.toUTCString()) ?? [];
  return `${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`;
}
