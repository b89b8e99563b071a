/** A Debian root and apt's settings, both from what the host itself uses. */
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { must, run } from "./run.ts";
import { cacheDirectory } from "./settings.ts";

/** A minimal system of the host's own suite, from the host's own mirror; kept in the cache directory. */
export function debianArchive(): Promise<string> {
  return bootstrap("debian", ["--variant=apt"]);
}

/** nginx, redis and PostgreSQL of the host's own suite in one root, without documentation; kept in the cache directory. */
export function servicesArchive(): Promise<string> {
  const without = ["doc", "locale", "man", "info"];
  return bootstrap("services", [
    "--variant=essential",
    "--include=postgresql,nginx-light,redis-server",
    ...without.map((path) => `--dpkgopt=path-exclude=/usr/share/${path}/*`),
    // A test makes the database cluster itself.
    '--extract-hook=mkdir -p "$1/etc/postgresql-common"',
    '--extract-hook=echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"',
  ]);
}

async function bootstrap(name: string, options: string[]): Promise<string> {
  const suite = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "stable";
  const archive = join(cacheDirectory, `${name}-${suite}.tar`);
  if (existsSync(archive)) return archive;
  mkdirSync(cacheDirectory, { recursive: true });
  const draft = join(cacheDirectory, `${name}-${suite}-${process.pid}.tar`);
  const mirror = await hostMirror(suite);
  const { code, stderr } = await run(["mmdebstrap", "--quiet", ...options, suite, draft, ...mirror], {
    timeout: 900_000,
  });
  if (code !== 0) throw new Error(`mmdebstrap cannot make a Debian root (is there a mirror?):\n${stderr}`);
  renameSync(draft, archive);
  return archive;
}

/** The mirror that the host's apt uses for the suite, if it says one. */
async function hostMirror(suite: string): Promise<string[]> {
  const { stdout } = await run([
    "apt-get",
    "indextargets",
    "--format",
    "$(REPO_URI) $(RELEASE) $(COMPONENT)",
    "Created-By: Packages",
  ]);
  const line = stdout.split("\n").find((entry) => entry.endsWith(` ${suite} main`));
  return line ? [line.split(" ")[0] as string] : [];
}

/** An apt.conf with the host's proxy settings; empty without any. */
export async function aptProxy(): Promise<string> {
  const config = await must(["apt-config", "dump"]);
  return config
    .split("\n")
    .filter((line) => /^Acquire::(http|https|ftp)(::|.*)Proxy/i.test(line))
    .map((line) => `${line}\n`)
    .join("");
}
