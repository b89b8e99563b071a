/** `GET /version`. */
import { apiVersion, minApiVersion, type SystemVersion } from "../../api/system.ts";
import type { HostFacts } from "../../linux/host-facts.ts";

export interface VersionInput {
  version: string;
  commit: string;
  experimental: boolean;
  buildTime: string;
  host: Pick<HostFacts, "arch" | "kernelRelease">;
  /** OCI runtime → version, of those that answered. */
  runtimes: ReadonlyMap<string, string>;
}

export function toVersion({ version, commit, experimental, buildTime, host, runtimes }: VersionInput): SystemVersion {
  const { arch, kernelRelease } = host;
  // Where Docker names its Go, this names what runs it.
  const runtime = `bun${Bun.version}`;
  const details = {
    ApiVersion: apiVersion,
    Arch: arch,
    BuildTime: buildTime,
    Experimental: String(experimental),
    GitCommit: commit,
    GoVersion: runtime,
    KernelVersion: kernelRelease,
    MinAPIVersion: minApiVersion,
    Os: "linux",
  };
  return {
    Platform: { Name: "Gantry" },
    Components: [
      { Name: "Engine", Version: version, Details: details },
      ...[...runtimes].map(([name, found]) => ({ Name: name, Version: found, Details: { GitCommit: "" } })),
    ],
    Version: version,
    ApiVersion: apiVersion,
    MinAPIVersion: minApiVersion,
    GitCommit: commit,
    GoVersion: runtime,
    Os: "linux",
    Arch: arch,
    KernelVersion: kernelRelease,
    ...(experimental ? { Experimental: true } : {}),
    BuildTime: buildTime,
  };
}

/** What `crun --version` or `runc --version` say; undefined when it cannot be run. */
export async function runtimeVersion(path: string): Promise<string | undefined> {
  try {
    const child = Bun.spawn([path, "--version"], { stdout: "pipe", stderr: "ignore", stdin: "ignore" });
    return /version:?\s+(\S+)/.exec(await new Response(child.stdout).text())?.[1];
  } catch {
    // Not installed: it is not listed, and a container that asks for it is refused by name.
    return undefined;
  }
}
