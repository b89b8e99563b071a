/** Sparing crun the loading of libsystemd, a quarter of its time, where that is known to work (shim/no-systemd.c). */
import { readFileSync } from "node:fs";

/**
 * What crun's environment needs so that `library` stands in for libsystemd: nothing for a crun without it, or for one that needs more of it
 * than the library has, which running it once shows.
 */
export async function leanEnvironment(crun: string, library: string): Promise<Record<string, string>> {
  if (!readFileSync(crun).includes("libsystemd.so.0\0")) return {};
  const environment = { LD_PRELOAD: library };
  const probe = Bun.spawn([crun, "--version"], {
    env: { ...environment, LD_BIND_NOW: "1" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const complaint = await new Response(probe.stderr).text();
  // A library that cannot be loaded is left out, with a message.
  return (await probe.exited) === 0 && complaint === "" ? environment : {};
}
