/** What a build is asked for: by `POST /build`, by BuildKit's clients, by what a Git webhook or a compose file starts. */
import type { HostConfig } from "../api/container-config.ts";
import type { Bytes } from "../base/streams.ts";
import type { Credentials } from "../remote/auth.ts";
import type { GivenArgs } from "./build-args.ts";

/** What all of them can ask for. */
export interface SolveRequest {
  args: GivenArgs;
  labels: Record<string, string>;
  target: string;
  platform: string | undefined;
  /** True: nothing that was cached counts; else names of the stages of which it does not. */
  noCache: boolean | readonly string[];
  pull: boolean;
  /** Containers of steps go when their step has succeeded; `forceRemove`: also when it has failed. */
  remove: boolean;
  forceRemove: boolean;
  /** Of the containers that run steps: limits, network, hosts. */
  host: HostConfig;
  /** Their host name; undefined: the beginning of each one's id. */
  hostname?: string | undefined;
  /** The login for a registry's domain; none: `{}`. */
  login(domain: string): Promise<Credentials>;
  /** Where `RUN --mount=type=secret` and `ssh` get theirs; undefined: the client cannot give any. */
  client?: SolveClient | undefined;
  signal: AbortSignal;
}

/** What a client gives while its build runs. */
export interface SolveClient {
  /** Undefined: the client has no such secret. */
  secret(id: string, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** A socket in the directory that leads to the client's SSH agent of this name; undefined: it has none. */
  agent(id: string, socket: string): Promise<AsyncDisposable | undefined>;
}

/** Source: Docker Engine API, "Build an image". */
export interface BuildRequest extends Omit<SolveRequest, "login" | "client"> {
  /** A tar archive of any compression; undefined when `remote` says where the context is. */
  context: Bytes | undefined;
  /** A URL of an archive, a Dockerfile or a Git repository; "": the context is in the body. */
  remote: string;
  /** Path of the Dockerfile in the context. */
  dockerfile: string;
  tags: string[];
  /** Names of images whose history may serve as cache. */
  cacheFrom: string[];
  noCache: boolean;
  /** One layer is left of those that the target's stage adds. */
  squash: boolean;
  /** Registry address → login, from X-Registry-Config. */
  logins: Record<string, Credentials>;
}
