/**
 * Which daemon a command talks to. In order: `--context`, `-H`, DOCKER_HOST, DOCKER_CONTEXT, `currentContext` of config.json, the default
 * socket of the program. Contexts are docker's own on-disk store, so both CLIs share them.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Endpoint, parseEndpoint, type TlsMaterial } from "../api/endpoint.ts";
import { errorMessage } from "../base/errors.ts";
import { CliError } from "./command.ts";
import type { ConfigFile } from "./config-file.ts";
import { openFailure } from "./paths.ts";

export interface EndpointChoice {
  readonly hosts: readonly string[];
  readonly context: string;
  readonly tls: boolean;
  readonly tlsVerify: boolean;
  readonly tlsCa: string;
  readonly tlsCert: string;
  readonly tlsKey: string;
}

type Env = Record<string, string | undefined>;

export function defaultHost(program: string): string {
  return program === "docker" ? "unix:///var/run/docker.sock" : "unix:///run/gantry.sock";
}

/** The name of the context in use; "default" where a host is given or nothing is chosen. */
export function currentContextName(choice: EndpointChoice, config: ConfigFile, env: Env): string {
  if (choice.context !== "") return choice.context;
  if (choice.hosts.length > 0 || (env["DOCKER_HOST"] ?? "") !== "") return "default";
  return env["DOCKER_CONTEXT"] || config.values.currentContext || "default";
}

/** Throws CliError in docker's words. */
export function resolveEndpoint(program: string, choice: EndpointChoice, config: ConfigFile, env: Env): Endpoint {
  if (choice.context !== "" && choice.hosts.length > 0) {
    throw new CliError("Failed to initialize: conflicting options: cannot specify both --host and --context");
  }
  const name = currentContextName(choice, config, env);
  try {
    if (name !== "default") return contextEndpoint(name, config);
    const host = choice.hosts[0] ?? (env["DOCKER_HOST"] || defaultHost(program));
    return parseEndpoint(host, flagTls(choice, config, env));
  } catch (error) {
    throw new CliError(`Failed to initialize: unable to resolve docker endpoint: ${errorMessage(error)}`);
  }
}

/** The folder name of a context in the store. */
export function contextId(name: string): string {
  return new Bun.CryptoHasher("sha256").update(name).digest("hex");
}

function contextEndpoint(name: string, config: ConfigFile): Endpoint {
  const id = contextId(name);
  const metaPath = join(config.directory, "contexts", "meta", id, "meta.json");
  const text = readOptional(metaPath);
  if (text === undefined) {
    throw new Error(`context "${name}": context not found: open ${metaPath}: no such file or directory`);
  }
  const meta = JSON.parse(text) as { Endpoints?: { docker?: { Host?: string; SkipTLSVerify?: boolean } } };
  const docker = meta.Endpoints?.docker;
  if (!docker) throw new Error(`cannot find docker endpoint in context`);
  const folder = join(config.directory, "contexts", "tls", id, "docker");
  const pem = { ca: join(folder, "ca.pem"), cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  const files = Object.entries(pem).flatMap(([part, path]) => {
    const content = readOptional(path);
    return content === undefined ? [] : [[part, content] as const];
  });
  const tls: TlsMaterial | undefined =
    files.length > 0 || docker.SkipTLSVerify
      ? { ...Object.fromEntries(files), verify: docker.SkipTLSVerify !== true }
      : undefined;
  return parseEndpoint(docker.Host ?? "", tls);
}

function flagTls(choice: EndpointChoice, config: ConfigFile, env: Env): TlsMaterial | undefined {
  const verify = choice.tlsVerify || (env["DOCKER_TLS_VERIFY"] ?? "") !== "";
  if (!choice.tls && !verify) return undefined;
  const folder = env["DOCKER_CERT_PATH"] || config.directory;
  const ca = readRequired(choice.tlsCa || join(folder, "ca.pem"));
  const cert = readPem(choice.tlsCert, join(folder, "cert.pem"));
  const key = readPem(choice.tlsKey, join(folder, "key.pem"));
  return {
    verify,
    ca,
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** A certificate or key named by a flag must exist; a default one may be missing. */
function readPem(named: string, fallback: string): string | undefined {
  return named !== "" ? readRequired(named) : readOptional(fallback);
}

function readRequired(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw openFailure(path, error);
  }
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
