/** What a build may read of this machine, by what the command line says: directories, secrets, agents, an archive on standard input. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Bytes } from "../../base/streams.ts";
import { splitOnce } from "../../base/text.ts";
import { CliError } from "../command.ts";
import { splitCsv } from "../flag-kinds.ts";
import type { ContentStores } from "./content-stores.ts";
import { contextDirectory, isRemote, readDockerfile, refuseTwiceStandardInput, standardInput } from "./source.ts";

/** Local source of the build → directory; `dockerfile` may be a file's text alone. */
export interface BuildInputs {
  directories: Map<string, string>;
  /** In place of a directory `dockerfile`: it came on standard input. */
  dockerfileText: Uint8Array | undefined;
  /** An archive that the daemon is to fetch from this process. */
  upload: { id: string; body: Bytes } | undefined;
  /** Options of the frontend that say where things are. */
  options: Record<string, string>;
}

/** Throws a CliError for what is not there. */
export async function buildInputs(
  source: string,
  given: { file: string; contexts: readonly string[]; stores: ContentStores; stdin: () => Bytes },
): Promise<BuildInputs> {
  const inputs: BuildInputs = { directories: new Map(), dockerfileText: undefined, upload: undefined, options: {} };
  refuseTwiceStandardInput(source, given.file);
  if (isRemote(source)) remote(source, given.file, inputs);
  else if (source === "-") await fromStandardInput(given.stdin(), given.file, inputs);
  else local(source, given.file, inputs);
  if (given.file === "-") {
    inputs.dockerfileText = Buffer.concat(await Array.fromAsync(given.stdin()));
    inputs.options["filename"] = "Dockerfile";
  }
  for (const context of given.contexts) namedContext(context, inputs, given.stores);
  return inputs;
}

function remote(source: string, file: string, { options }: BuildInputs): void {
  options["context"] = source;
  if (file !== "" && file !== "-") options["filename"] = file;
  // Without it the Dockerfile is the context's.
  if (file === "-") options["dockerfilekey"] = "dockerfile";
}

async function fromStandardInput(stdin: Bytes, file: string, inputs: BuildInputs): Promise<void> {
  const { archive, text } = await standardInput(stdin);
  if (text) {
    inputs.dockerfileText = text;
    inputs.options["filename"] = "Dockerfile";
    return;
  }
  const id = crypto.randomUUID();
  inputs.upload = { id, body: archive as Bytes };
  inputs.options["context"] = `http://buildkit-session/${id}`;
  if (file !== "") inputs.options["filename"] = file;
}

function local(source: string, file: string, { directories, options }: BuildInputs): void {
  const directory = contextDirectory(source);
  directories.set("context", directory);
  if (file === "-") return;
  const path = file === "" ? join(directory, "Dockerfile") : resolve(file);
  // `Dockerfile` may be there in small letters: that is the daemon's to find.
  if (file !== "" || !existsSync(join(directory, "dockerfile"))) readDockerfile(path);
  directories.set("dockerfile", dirname(path));
  options["filename"] = basename(path);
}

/** `NAME=docker-image://…`, `NAME=oci-layout://…`, `NAME=https://…`, `NAME=DIRECTORY` */
function namedContext(text: string, { directories, options }: BuildInputs, stores: ContentStores): void {
  const [name, value] = splitOnce(text, "=");
  if (name === "" || !text.includes("=")) {
    throw new CliError(`invalid context value: ${text}, expected key=value`);
  }
  if (value.startsWith("docker-image://") || isRemote(value)) {
    options[`context:${name}`] = value;
    return;
  }
  const layout = /^oci-layout:\/\/(.*)$/.exec(value)?.[1];
  if (layout !== undefined) {
    options[`context:${name}`] = stores.context(layout);
    return;
  }
  const directory = resolve(value);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new CliError(`failed to get build context path {${value} <nil>}: stat ${value}: no such file or directory`);
  }
  directories.set(name, directory);
  options[`context:${name}`] = `local:${name}`;
}

/** `id=NAME[,src=FILE | ,env=VARIABLE]` of each secret → how to read it. Throws a CliError for what cannot be read. */
export function parseSecrets(
  texts: readonly string[],
  env: Record<string, string | undefined>,
): Map<string, () => Uint8Array> {
  const secrets = new Map<string, () => Uint8Array>();
  for (const text of texts) {
    const { id = "", type = "", src, source = src, target, env: variable, ...others } = fields(text, "secret");
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) throw new CliError(`unexpected key '${unknown}' in '${text}'`);
    if (!["", "file", "env"].includes(type)) throw new CliError(`unsupported secret type "${type}"`);
    const name = id || target || "";
    if (name === "") throw new CliError(`secret missing id: ${text}`);
    // As buildx: a variable of the secret's name, else a file.
    const from = variable ?? (type === "env" ? (source ?? name) : undefined);
    const implied = source === undefined && type === "" && env[name] !== undefined ? name : undefined;
    const found = from ?? implied;
    if (found !== undefined) secrets.set(name, () => Buffer.from(env[found] ?? ""));
    else {
      const path = source ?? name;
      if (!existsSync(path)) throw new CliError(`failed to stat ${path}: stat ${path}: no such file or directory`);
      secrets.set(name, () => readFileSync(path));
    }
  }
  return secrets;
}

/** `default` or `NAME=SOCKET` → the agent's socket. Throws a CliError for anything but the socket of an agent. */
export function parseAgents(texts: readonly string[], env: Record<string, string | undefined>): Map<string, string> {
  const agents = new Map<string, string>();
  for (const text of texts) {
    const [id, path] = splitOnce(text, "=");
    const socket = path || env["SSH_AUTH_SOCK"] || "";
    if (socket === "") {
      throw new CliError("invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set");
    }
    const stats = statSync(socket, { throwIfNoEntry: false });
    if (!stats) throw new CliError(`failed to stat ${socket}: no such file or directory`);
    if (!stats.isSocket()) {
      throw new CliError(`${socket} is no socket of an SSH agent: keys are given to one with ssh-add, not to a build`);
    }
    agents.set(id, socket);
  }
  return agents;
}

/** `a=b,c=d` */
export function fields(text: string, what: string): Record<string, string> {
  return Object.fromEntries(
    splitCsv(text).map((field) => {
      if (!field.includes("=")) throw new CliError(`invalid ${what} field '${field}': must be a key=value pair`);
      const [key, value] = splitOnce(field, "=");
      return [key.toLowerCase(), value];
    }),
  );
}
