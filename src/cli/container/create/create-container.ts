/** What `run` and `create` do alike: check, write the cidfile, create, pull a missing image, print warnings. */
import { closeSync, existsSync, openSync, rmSync, writeSync } from "node:fs";
import { compareVersions } from "../../../api/client.ts";
import { isStatus } from "../../../api/client-error.ts";
import type { ContainerCreateResponse } from "../../../api/containers.ts";
import { errorCode, errorMessage } from "../../../base/errors.ts";
import { familiarString, parseAnyReference, withDefaultTag } from "../../../oci/reference.ts";
import { CliError } from "../../command.ts";
import type { CliContext } from "../../context.ts";
import { describeError } from "../../errors.ts";
import type { Flags } from "../../flags.ts";
import { dockerFailure } from "../attach/wait-exit.ts";
import type { configFlags, createFlags } from "./config-flags.ts";
import { type CreateBody, createBody } from "./create-config.ts";
import { proxyEnvironment } from "./proxies.ts";

/** The flags of both commands; `pull` differs in its help text only. */
export type CreateFlagSet = Flags<typeof configFlags & typeof createFlags & { pull: (typeof createFlags)["name"] }>;

/** An error with the hint that the docker CLI adds. */
export function withHelp(context: CliContext, error: unknown, code = dockerFailure): CliError {
  const { program } = context;
  const command = context.commandPath.at(-1);
  const text = describeError(error);
  return new CliError(`${program}: ${text}\n\nRun '${program} ${command} --help' for more information`, code);
}

/** The request's body from the flags. Throws CliError (125, with hint). */
export function bodyFromFlags(context: CliContext, flags: CreateFlagSet, args: readonly string[]): CreateBody {
  try {
    const { pull } = flags.value;
    if (!["always", "missing", "never", ""].includes(pull)) {
      throw new Error(`invalid pull option: '${pull}': must be one of "always", "missing" or "never"`);
    }
    if (flags.changed("disable-content-trust") && !flags.value["disable-content-trust"]) {
      throw new Error("content trust is not supported: --disable-content-trust=false");
    }
    const [image = "", ...rest] = args;
    // Resolving the endpoint is needed for its proxies only.
    const host = context.config.values.proxies ? context.endpoint.url : "";
    return createBody(flags, { image, args: rest, extraEnv: proxyEnvironment(context.config, host) });
  } catch (error) {
    throw error instanceof CliError ? error : withHelp(context, error);
  }
}

/** Creates the container and returns its id. Throws the daemon's error as it is. */
export async function createContainer(context: CliContext, flags: CreateFlagSet, body: CreateBody): Promise<string> {
  const { value } = flags;
  const image = body.Image ?? "";
  using cidFile = CidFile.open(value.cidfile);
  const parsed = parseAnyReference(image);
  checkPlatform(value.platform);
  const size = context.stdout.size();
  if (size) body.HostConfig.ConsoleSize = [size.rows, size.columns];
  const afterCreate = value["use-api-socket"] ? await apiSocket(context, body) : undefined;
  if (value.pull === "always") await pull(context, image, value);
  const create = () =>
    context.client.json<ContainerCreateResponse>("POST", "/containers/create", {
      query: { name: value.name || undefined, platform: value.platform || undefined },
      bodyFor: (version) => shapeFor(version, body, value["mac-address"]),
    });
  let response: ContainerCreateResponse;
  try {
    response = await create();
  } catch (error) {
    const pullable = isStatus(error, 404) && "reference" in parsed && value.pull === "missing";
    if (!pullable || !isMissingImage(error)) throw error;
    const name = familiarString(withDefaultTag(parsed.reference));
    if (!value.quiet) context.stderr.print(`Unable to find image '${name}' locally`);
    await pull(context, image, value);
    response = await create();
  }
  for (const warning of [...(response.Warnings ?? []), ...localDnsWarnings(body)]) {
    context.stderr.print(`WARNING: ${warning}`);
  }
  cidFile.write(response.Id);
  await afterCreate?.(response.Id);
  return response.Id;
}

async function apiSocket(context: CliContext, body: CreateBody) {
  const { addApiSocket } = await import("./use-api-socket.ts");
  return addApiSocket(context, body);
}

/** Any 404 but one that names something else (a network, a volume). */
function isMissingImage(error: unknown): boolean {
  return !/network .* not found/i.test(errorMessage(error));
}

async function pull(context: CliContext, image: string, value: { platform: string; quiet: boolean }): Promise<void> {
  const [{ pullImage }, { silent }] = await Promise.all([
    import("../../image/pull.ts"),
    import("../../terminal/progress.ts"),
  ]);
  const { stderr } = context;
  const target = value.quiet
    ? silent
    : { write: (text: string) => stderr.write(text), columns: stderr.size()?.columns };
  await pullImage(context, image, { platform: value.platform, target });
}

function checkPlatform(platform: string): void {
  if (platform === "" || /^[A-Za-z0-9_.-]+(\([A-Za-z0-9_.-]*\))?(\/[A-Za-z0-9_.-]+){0,2}$/.test(platform)) return;
  throw new Error(
    `error parsing specified platform: ${JSON.stringify(platform)}: cannot parse platform specifier: invalid argument`,
  );
}

/** Older daemons do not know, or differently know, some fields. */
function shapeFor(version: string, body: CreateBody, macAddress: string): CreateBody {
  const shaped: CreateBody = { ...body, HostConfig: { ...body.HostConfig } };
  if (compareVersions(version, "1.44") < 0 && macAddress !== "") shaped.MacAddress = macAddress;
  if (compareVersions(version, "1.42") < 0) delete shaped.HostConfig.ConsoleSize;
  if (compareVersions(version, "1.42") >= 0) delete shaped.HostConfig.KernelMemory;
  return shaped;
}

function localDnsWarnings(body: CreateBody): string[] {
  const local = (body.HostConfig.Dns ?? []).find((address) => /^127\.|^::1$/.test(address));
  return local === undefined ? [] : [`Localhost DNS (${local}) may fail in containers.`];
}

/** `--cidfile`: made before the container, so that an existing file stops everything; removed when nothing was created. */
class CidFile implements Disposable {
  private readonly path: string;
  private readonly fd: number | undefined;
  private written = false;

  private constructor(path: string, fd: number | undefined) {
    this.path = path;
    this.fd = fd;
  }

  static open(path: string): CidFile {
    if (path === "") return new CidFile(path, undefined);
    if (existsSync(path)) {
      throw new Error(`container ID file found, make sure the other container isn't running or delete ${path}`);
    }
    try {
      return new CidFile(path, openSync(path, "w"));
    } catch (error) {
      const missing = errorCode(error) === "ENOENT";
      const reason = missing ? `open ${path}: no such file or directory` : errorMessage(error);
      throw new Error(`failed to create the container ID file: ${reason}`);
    }
  }

  write(id: string): void {
    if (this.fd !== undefined) writeSync(this.fd, id);
    this.written = true;
  }

  [Symbol.dispose](): void {
    if (this.fd === undefined) return;
    closeSync(this.fd);
    if (!this.written) rmSync(this.path, { force: true });
  }
}
