/** Names the daemon knows, for completion. A daemon that does not answer has no names. */
import type { ContainerStatus, ContainerSummary } from "../../api/containers.ts";
import type { ImageSummary } from "../../api/images.ts";
import type { NetworkInspect } from "../../api/networks.ts";
import type { VolumeListResponse } from "../../api/volumes.ts";
import { ContextStore } from "../context/store.ts";
import type { CliContext } from "../context.ts";

export type Names = string[] | "files";

type Source = (context: CliContext) => Promise<Names>;

const files: Source = async () => "files";
const nothing: Source = async () => [];

function containers(...states: ContainerStatus[]): Source {
  return async (context) => {
    const list = await context.client.json<ContainerSummary[]>("GET", "/containers/json", { query: { all: true } });
    return list
      .filter(({ State }) => states.length === 0 || states.includes(State))
      .flatMap(({ Names, Image, Status }) => Names.slice(0, 1).map((name) => `${name.slice(1)}\t${Image}, ${Status}`));
  };
}

const images: Source = async (context) => {
  const list = await context.client.json<ImageSummary[]>("GET", "/images/json");
  return list.flatMap(({ RepoTags }) => (RepoTags ?? []).filter((tag) => tag !== "<none>:<none>"));
};

const volumes: Source = async (context) => {
  const { Volumes } = await context.client.json<VolumeListResponse>("GET", "/volumes");
  return (Volumes ?? []).map(({ Name }) => Name);
};

const networks: Source = async (context) => {
  const list = await context.client.json<NetworkInspect[]>("GET", "/networks");
  return list.map(({ Name, Driver }) => `${Name}\t${Driver}`);
};

const contexts: Source = async (context) => {
  const stored = new ContextStore(context.config.directory).list();
  return ["default", ...stored.map(({ Name }) => Name)];
};

const anything: Source = async (context) => {
  const all = await Promise.all([containers(), images, networks, volumes].map((source) => ask(context, source)));
  return all.flatMap((names) => (names === "files" ? [] : names));
};

const running = containers("running", "paused", "restarting");
const startable = containers("created", "exited", "dead");

/** What the arguments of a command are, by its path without `container`. The last source serves all further arguments. */
const byCommand: Record<string, Source[]> = {
  attach: [running],
  commit: [containers(), nothing],
  cp: [files],
  create: [images, files],
  diff: [containers(), nothing],
  exec: [containers("running"), files],
  export: [containers(), nothing],
  inspect: [anything],
  kill: [running],
  logs: [containers(), nothing],
  pause: [containers("running")],
  port: [running, nothing],
  rename: [containers(), nothing],
  restart: [containers()],
  rm: [containers()],
  run: [images, files],
  start: [startable],
  stats: [running],
  stop: [running],
  top: [containers("running"), nothing],
  unpause: [containers("paused")],
  update: [containers()],
  wait: [containers()],
  history: [images, nothing],
  images: [images, nothing],
  import: [files, nothing],
  pull: [images, nothing],
  push: [images, nothing],
  rmi: [images],
  save: [images],
  tag: [images],
  "container inspect": [containers()],
  "image inspect": [images],
  "image ls": [images, nothing],
  "image rm": [images],
  "network connect": [networks, containers(), nothing],
  "network disconnect": [networks, containers(), nothing],
  "network inspect": [networks],
  "network rm": [networks],
  "volume inspect": [volumes],
  "volume rm": [volumes],
  "context inspect": [contexts],
  "context rm": [contexts],
  "context use": [contexts, nothing],
  "context update": [contexts, nothing],
  "context export": [contexts, files],
  "context import": [nothing, files],
};

const byFlag: Record<string, Source> = {
  network: networks,
  net: networks,
  context: contexts,
  from: contexts,
  link: containers(),
  "volumes-from": containers(),
  "env-file": files,
  "label-file": files,
  cidfile: files,
  input: files,
  output: files,
  volume: files,
  type: async () => ["container", "image", "network", "volume"],
  restart: async () => ["always", "no", "on-failure", "unless-stopped"],
  pull: async () => ["always", "missing", "never"],
};

/** Names for the next argument after `given`. */
export function argumentNames(context: CliContext, path: readonly string[], given: readonly string[]): Promise<Names> {
  const short = path.length > 1 && (path[0] === "container" || path[0] === "image") ? path.slice(1) : path;
  const sources = byCommand[path.join(" ")] ?? byCommand[short.join(" ")] ?? [nothing];
  return ask(context, sources[Math.min(given.length, sources.length - 1)] ?? nothing);
}

/** Values for a flag. */
export function flagNames(context: CliContext, path: readonly string[], name: string): Promise<Names> {
  if (name === "pull" && path.at(-1) === "build") return ask(context, nothing);
  return ask(context, byFlag[name] ?? nothing);
}

async function ask(context: CliContext, source: Source): Promise<Names> {
  try {
    return await source(context);
  } catch {
    return [];
  }
}
