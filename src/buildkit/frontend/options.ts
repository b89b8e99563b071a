/** The options of the frontend `dockerfile.v0`. Source: moby/buildkit frontend/dockerui/config.go; buildx build/opt.go. */
import type { HostConfig, Ulimit } from "../../api/container-config.ts";
import { EngineError, invalidArgument, withPrefix } from "../../base/errors.ts";
import { parseGoBool } from "../../base/go-bool.ts";
import { splitOnce } from "../../base/text.ts";
import { type Platform, parsePlatform } from "../../oci/platform.ts";
import { type Epoch, parseEpoch } from "../epoch.ts";
import { type ProvenanceOptions, parseAttestations } from "../provenance/options.ts";

export interface FrontendOptions {
  /** Path of the Dockerfile in its source. */
  filename: string;
  /** The local source that has the Dockerfile; undefined: the remote context has it, or the one of the usual name. */
  dockerfileSource: string | undefined;
  /** A Git repository, an archive or an upload of the client's; undefined: the local source `context`. */
  remote: string | undefined;
  target: string;
  /** None: this machine's. */
  platforms: Platform[];
  /** Outputs are told apart by platform, even where it is only one. */
  multiPlatform: boolean;
  args: Record<string, string>;
  /** Of the build argument SOURCE_DATE_EPOCH. */
  epoch: Epoch;
  labels: Record<string, string>;
  /** As in SolveRequest. */
  noCache: boolean | string[];
  pull: boolean;
  host: HostConfig;
  /** `--build-context`: name → `docker-image://…`, `local:…`, `input:…`, or a URL. */
  contexts: Map<string, string>;
  /** Local source → session that has it, where that is not the build's own. */
  sessions: Map<string, string>;
  /** JSON: `--cache-from`. */
  cacheImports: string | undefined;
  /** What the outputs are to carry. */
  provenance: ProvenanceOptions | undefined;
  /** A question about the Dockerfile instead of a build: `frontend.lint`. */
  request: string;
}

/** Asking for nothing but what is done anyway. */
const harmless = /^(image-resolve-mode|frontend\.caps|cmdline|source|input-metadata:.*|input:.*)$/;

/** Throws for what is not known: an option that is ignored is a lie. */
export function parseOptions(given: Readonly<Record<string, string>>): FrontendOptions {
  const rest = new Map(Object.entries(given));
  const take = (name: string) => {
    const value = rest.get(name);
    rest.delete(name);
    return value;
  };
  const prefixed = (prefix: string) => {
    const found = [...rest].filter(([name]) => name.startsWith(prefix));
    for (const [name] of found) rest.delete(name);
    return found.map(([name, value]) => [name.slice(prefix.length), value] as [string, string]);
  };
  const noCache = take("no-cache");
  const platforms = take("platform") || undefined;
  const args = Object.fromEntries(prefixed("build-arg:"));
  const options: FrontendOptions = {
    filename: take("filename") || "Dockerfile",
    dockerfileSource: take("dockerfilekey"),
    remote: take("context") || undefined,
    target: take("target") ?? "",
    platforms: platforms ? platforms.split(",").map(parseTargetPlatform) : [],
    multiPlatform: isTrue(take("multi-platform"), "multi-platform"),
    args,
    epoch: parseEpoch(args["SOURCE_DATE_EPOCH"]),
    labels: Object.fromEntries(prefixed("label:")),
    noCache: noCache === undefined ? false : noCache === "" || noCache.split(","),
    pull: rest.get("image-resolve-mode") === "pull",
    host: hostConfig(take),
    contexts: new Map(prefixed("context:")),
    sessions: new Map(prefixed("local-sessionid:")),
    cacheImports: take("cache-imports"),
    request: take("requestid") ?? "",
    provenance: parseAttestations(prefixed("attest:")),
  };
  // Facts about the checkout that buildx adds for provenance.
  prefixed("vcs:");
  for (const name of rest.keys()) {
    if (!harmless.test(name)) throw invalidArgument(`unsupported frontend option ${name}`);
  }
  return options;
}

function parseTargetPlatform(text: string): Platform {
  try {
    return parsePlatform(text);
  } catch (error) {
    throw error instanceof EngineError ? withPrefix(`failed to parse target platform ${text}: `, error) : error;
  }
}

function isTrue(text: string | undefined, name: string): boolean {
  const parsed = text ? parseGoBool(text) : false;
  if (parsed === undefined) throw invalidArgument(`invalid boolean value for ${name}: ${text}`);
  return parsed;
}

function hostConfig(take: (name: string) => string | undefined): HostConfig {
  const host: HostConfig = {};
  const network = take("force-network-mode");
  if (network) host.NetworkMode = network;
  const hosts = take("add-hosts");
  if (hosts) host.ExtraHosts = hosts.split(",").map((entry) => splitOnce(entry, "=").join(":"));
  const shm = take("shm-size");
  if (shm) host.ShmSize = Number(shm);
  const parent = take("cgroup-parent");
  if (parent) host.CgroupParent = parent;
  const ulimits = take("ulimit");
  if (ulimits) host.Ulimits = ulimits.split(/,(?=[a-z])/).map(parseUlimit);
  return host;
}

/** `nofile=1024:2048` */
function parseUlimit(text: string): Ulimit {
  const [, Name = "", soft, hard = soft] = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(text) ?? [];
  if (soft === undefined) throw invalidArgument(`invalid ulimit argument: ${text}`);
  return { Name, Soft: Number(soft), Hard: Number(hard) };
}
