/** `--docker key=value,…` of `context create` and `context update`. */
import { readFileSync } from "node:fs";
import { parseEndpoint } from "../../api/endpoint.ts";
import { CliError } from "../command.ts";
import type { CliContext } from "../context.ts";
import { defaultHost } from "../endpoint.ts";
import { flag, splitCsv, splitPair } from "../flag-kinds.ts";
import { openFailure } from "../paths.ts";
import { type ContextMeta, ContextStore, type TlsFiles } from "./store.ts";

export type DockerEndpoint = NonNullable<ContextMeta["Endpoints"]["docker"]>;

const keys = ["from", "host", "ca", "cert", "key", "skip-tls-verify"];

/** The `--docker` flag, pflag's stringToString: comma-separated pairs. */
export const dockerFlag = flag.of<Record<string, string>>(
  {
    typeName: "stringToString",
    parse: (text, previous) => ({ ...previous, ...parsePairs(text) }),
    showDefault: () => "[]",
  },
  {},
  "set the docker endpoint",
);

function parsePairs(text: string): Record<string, string> {
  return Object.fromEntries(
    splitCsv(text).map((item) => {
      if (!item.includes("=")) throw new Error(`${item} must be formatted as key=value`);
      return splitPair(item);
    }),
  );
}

/** The endpoint that the pairs describe. Throws CliError in docker's words. */
export function dockerEndpoint(
  context: CliContext,
  pairs: Record<string, string>,
): { endpoint: DockerEndpoint; tls: TlsFiles } {
  const problem = (text: string) => new CliError(`unable to create docker endpoint config: ${text}`);
  for (const key of Object.keys(pairs)) if (!keys.includes(key)) throw problem(`unrecognized config key: ${key}`);
  if (pairs["from"]) {
    const { meta, tls } = resolveContext(context, pairs["from"]);
    if (!meta.Endpoints.docker) throw problem(`unable to get endpoint from context "${pairs["from"]}"`);
    return { endpoint: meta.Endpoints.docker, tls };
  }
  const host = pairs["host"] ?? "";
  try {
    if (!/^(ssh|npipe|fd):\/\//.test(host) && host !== "") parseEndpoint(checkedHost(host));
  } catch {
    throw problem(`unable to apply docker endpoint options: unable to parse docker host \`${host}\``);
  }
  const skip = pairs["skip-tls-verify"] ?? "";
  if (!/^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False|)$/.test(skip)) {
    throw problem(`strconv.ParseBool: parsing "${skip}": invalid syntax`);
  }
  const tls = readTls(pairs);
  return { endpoint: { Host: host, SkipTLSVerify: /^(1|t)/i.test(skip) }, tls };
}

function checkedHost(host: string): string {
  if (!/^(unix|tcp|http|https):\/\//.test(host)) throw new Error("unknown protocol");
  return host;
}

function readTls(pairs: Record<string, string>): TlsFiles {
  const files: TlsFiles = {};
  for (const key of ["ca", "cert", "key"]) {
    const path = pairs[key];
    if (!path) continue;
    try {
      files[`docker/${key}.pem`] = readFileSync(path, "utf8");
    } catch (error) {
      throw new CliError(`unable to create docker endpoint config: ${openFailure(path, error).message}`);
    }
    if (key === "ca" && !/-----BEGIN/.test(files["docker/ca.pem"] ?? "")) {
      throw new CliError(
        "unable to create docker endpoint config: invalid docker endpoint options: failed to retrieve context tls info: ca.pem seems invalid",
      );
    }
  }
  return files;
}

/** A context by name, `default` included. */
export function resolveContext(context: CliContext, name: string): { meta: ContextMeta; tls: TlsFiles } {
  if (name === "default") return { meta: defaultContext(context), tls: {} };
  const store = new ContextStore(context.config.directory);
  return { meta: store.get(name), tls: store.tls(name) };
}

/** The context that stands for -H, DOCKER_HOST or the default socket. */
export function defaultContext(context: CliContext): ContextMeta {
  const Host = context.choice.hosts[0] ?? (context.env["DOCKER_HOST"] || defaultHost(context.program));
  return { Name: "default", Metadata: {}, Endpoints: { docker: { Host, SkipTLSVerify: false } } };
}

export const dockerHelp = (program: string, verb: string) => `

Docker endpoint config:

NAME                DESCRIPTION
from                Copy named context's Docker endpoint configuration
host                Docker endpoint on which to connect
ca                  Trust certs signed only by this CA
cert                Path to TLS certificate file
key                 Path to TLS key file
skip-tls-verify     Skip TLS certificate validation

Example:

$ ${program} context ${verb} my-context --description "some description" --docker "host=tcp://myserver:2376,ca=~/ca-file,cert=~/cert-file,key=~/key-file"`;
