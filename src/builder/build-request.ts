/** What a build is asked for: `POST /build`, and what a Git webhook or a compose file asks for. Source: Docker Engine API, "Build an image". */
import type { HostConfig } from "../api/container-config.ts";
import type { Bytes } from "../base/streams.ts";
import type { Credentials } from "../remote/auth.ts";
import type { GivenArgs } from "./build-args.ts";

export interface BuildRequest {
  /** A tar archive of any compression; undefined when `remote` says where the context is. */
  context: Bytes | undefined;
  /** A URL of an archive, a Dockerfile or a Git repository; "": the context is in the body. */
  remote: string;
  /** Path of the Dockerfile in the context. */
  dockerfile: string;
  tags: string[];
  args: GivenArgs;
  labels: Record<string, string>;
  target: string;
  platform: string | undefined;
  /** Names of images whose history may serve as cache. */
  cacheFrom: string[];
  noCache: boolean;
  pull: boolean;
  /** Containers of steps go when their step has succeeded; `forceRemove`: also when it has failed. */
  remove: boolean;
  forceRemove: boolean;
  /** Of the containers that run steps: limits, network, hosts. */
  host: HostConfig;
  /** Registry address → login, from X-Registry-Config. */
  logins: Record<string, Credentials>;
  signal: AbortSignal;
}
