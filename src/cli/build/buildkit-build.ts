/** `build` by BuildKit's API: what `docker build` does with buildx. Source: moby/buildkit api/services/control; buildx build/. */
import { writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { splitOnce } from "../../base/text.ts";
import type { GrpcClient } from "../../buildkit-api/grpc/client.ts";
import { GrpcError } from "../../buildkit-api/grpc/status.ts";
import {
  type CacheOptionsEntry,
  type ControlSolveRequest,
  controlSolveRequest,
  controlSolveResponse,
  statusRequest,
  statusResponse,
} from "../../buildkit-api/protocol/messages.ts";
import { CliError } from "../command.ts";
import type { CliContext } from "../context.ts";
import { openControl, openSession } from "./connection.ts";
import { ContentStores } from "./content-stores.ts";
import { excerpt } from "./excerpt.ts";
import { type BuildInputs, buildInputs, fields, parseAgents, parseSecrets } from "./inputs.ts";
import { type BuildOutput, parseOutputs } from "./outputs.ts";
import { type BuildDisplay, openDisplay } from "./progress/display.ts";
import { clientMethods } from "./services.ts";

const service = "/moby.buildkit.v1.Control/";

/** What the command line says. */
export interface BuildkitBuild {
  source: string;
  file: string;
  tags: readonly string[];
  args: readonly string[];
  labels: readonly string[];
  contexts: readonly string[];
  cacheFrom: readonly string[];
  cacheTo: readonly string[];
  secrets: readonly string[];
  agents: readonly string[];
  outputs: readonly string[];
  push: boolean;
  load: boolean;
  target: string;
  platform: string;
  network: string;
  noCache: boolean;
  noCacheFilter: readonly string[];
  /** Empty or `false`: none is asked for. */
  provenance: string;
  pull: boolean;
  hosts: readonly string[];
  /** Bytes; 0: the daemon's default. */
  shmSize: number;
  ulimits: readonly { Name: string; Soft: number; Hard: number }[];
  cgroupParent: string;
  progress: string;
  quiet: boolean;
  iidfile: string;
  metadataFile: string;
}

/** Resolves with the command's exit code. */
export async function buildByBuildkit(context: CliContext, build: BuildkitBuild): Promise<number> {
  const stores = new ContentStores();
  const inputs = await buildInputs(build.source, { ...build, stores, stdin: () => context.stdin.stream() });
  const outputs = parseOutputs({ ...build, stores, stdout: stdoutOf(context) });
  const cache = {
    Imports: caches(build.cacheFrom).flatMap((entry) => stores.importCache(entry) ?? []),
    Exports: caches(build.cacheTo).map((entry) => stores.exportCache(entry)),
  };
  const secrets = parseSecrets(build.secrets, context.env);
  const agents = parseAgents(build.agents, context.env);
  const methods = clientMethods(context, { inputs, outputs, secrets, agents, stores: stores.directories });
  const kind = build.quiet ? "quiet" : build.progress || context.env["BUILDKIT_PROGRESS"] || "auto";
  const { stderr, client } = context;
  const display = openDisplay(kind, { write: (text) => stderr.write(text), size: () => stderr.size() });
  let response: Record<string, string>;
  try {
    const session = crypto.randomUUID();
    using _session = await openSession(client, { id: session, sharedKey: sharedKey(inputs), methods });
    const control = await openControl(client);
    response = await solve(control, { ref: crypto.randomUUID(), session, build, inputs, outputs, cache }, display);
    stores.finish(response);
  } catch (error) {
    throw error instanceof GrpcError ? failure(error, display) : error;
  } finally {
    display.close();
  }
  finish(context, build, display, response);
  return 0;
}

/** Says which builds send the same directories, so that only what has changed is sent. */
function sharedKey({ directories }: BuildInputs): string {
  const text = JSON.stringify([homedir(), directories.get("context") ?? ""]);
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

async function solve(
  control: GrpcClient,
  request: {
    ref: string;
    session: string;
    build: BuildkitBuild;
    inputs: BuildInputs;
    outputs: readonly BuildOutput[];
    cache: ControlSolveRequest["Cache"];
  },
  display: BuildDisplay,
): Promise<Record<string, string>> {
  const { ref: Ref, session: Session, build, inputs, outputs, cache } = request;
  try {
    const solving = control.unary(
      `${service}Solve`,
      controlSolveRequest.encode({
        Ref,
        Session,
        Frontend: "dockerfile.v0",
        FrontendAttrs: { ...frontendOptions(build), ...inputs.options },
        Exporters: outputs.map(({ exporter }) => exporter),
        Entitlements: build.network === "host" ? ["network.host"] : [],
        Definition: null,
        ExporterDeprecated: "",
        ExporterAttrsDeprecated: {},
        Cache: cache,
        FrontendInputs: {},
        Internal: false,
        SourcePolicy: null,
        EnableSessionExporter: false,
      }),
    );
    // The progress ends with the build; a build that fails is told by the answer alone.
    const following = follow(control, Ref, display).catch(() => undefined);
    const [answer] = await Promise.allSettled([solving, following]);
    if (answer.status === "rejected") throw answer.reason;
    return controlSolveResponse.decode(answer.value).ExporterResponse;
  } finally {
    control.close();
  }
}

/** `type=registry,ref=NAME`, or the name alone. */
function caches(texts: readonly string[]): CacheOptionsEntry[] {
  return texts.map((text) => {
    const { type = "registry", ...Attrs } = text.includes("=") ? fields(text, "cache") : { ref: text };
    return { Type: type, Attrs };
  });
}

async function follow(control: GrpcClient, Ref: string, display: BuildDisplay): Promise<void> {
  const call = control.open(`${service}Status`);
  await call.messages.write(statusRequest.encode({ Ref }));
  call.end();
  for await (const message of call.messages) display.show(statusResponse.decode(message));
}

/** Source: buildx build/opt.go; moby/buildkit frontend/dockerui/config.go. */
function frontendOptions(build: BuildkitBuild): Record<string, string> {
  const options: Record<string, string> = {};
  const set = (name: string, value: string) => {
    if (value !== "") options[name] = value;
  };
  set("target", build.target);
  set("platform", build.platform.toLowerCase());
  set("force-network-mode", build.network === "default" ? "" : build.network);
  set("no-cache", build.noCacheFilter.join(","));
  if (build.noCache) options["no-cache"] = "";
  if (!/^(|false|0)$/.test(build.provenance)) {
    options["attest:provenance"] = /^(true|1)$/.test(build.provenance) ? "" : build.provenance;
  }
  if (build.pull) options["image-resolve-mode"] = "pull";
  set("add-hosts", build.hosts.map((entry) => entry.replace(":", "=")).join(","));
  set("shm-size", build.shmSize > 0 ? String(build.shmSize) : "");
  set("ulimit", build.ulimits.map(({ Name, Soft, Hard }) => `${Name}=${Soft}:${Hard}`).join(","));
  set("cgroup-parent", build.cgroupParent);
  for (const text of build.args) {
    const [name, value] = splitOnce(text, "=");
    const given = text.includes("=") ? value : process.env[name];
    if (given !== undefined) options[`build-arg:${name}`] = given;
  }
  const epoch = process.env["SOURCE_DATE_EPOCH"];
  if (epoch) options["build-arg:SOURCE_DATE_EPOCH"] ??= epoch;
  for (const text of build.labels) {
    const [name, value] = splitOnce(text, "=");
    options[`label:${name}`] = value;
  }
  return options;
}

function finish(
  { stdout, stderr }: CliContext,
  { quiet, iidfile, metadataFile }: BuildkitBuild,
  display: BuildDisplay,
  response: Record<string, string>,
): void {
  // Of several platforms it is their index.
  const id = response["containerimage.config.digest"] ?? response["containerimage.digest"] ?? "";
  if (quiet && id !== "") stdout.print(id);
  if (iidfile !== "") writeFileSync(iidfile, id);
  if (metadataFile !== "") writeFileSync(metadataFile, `${JSON.stringify(response, null, 2)}\n`);
  const { warnings } = display.steps;
  if (quiet || warnings.length === 0) return;
  stderr.print(`\n ${warnings.length} warning${warnings.length === 1 ? "" : "s"} found:`);
  for (const { short } of warnings) stderr.print(` - ${Buffer.from(short).toString()}`);
}

/** With the end of the failing step's output, and the lines of the Dockerfile that the error is about. */
function failure(error: GrpcError, { steps }: BuildDisplay): CliError {
  const failed = steps.failed();
  const output =
    failed && failed.lines.length > 0 ? [...failed.lines, ...(failed.open ? [failed.open] : [])] : undefined;
  const shown = output ? `------\n > ${failed?.vertex.name}:\n${output.join("\n")}\n------\n` : "";
  return new CliError(`${shown}${place(error)}ERROR: failed to build: failed to solve: ${error.message}`);
}

function place({ details }: GrpcError): string {
  const detail = details.find(({ type_url }) => type_url === "github.com/moby/buildkit/errdefs.Source+json");
  if (!detail) return "";
  const { info, ranges } = JSON.parse(Buffer.from(detail.value).toString()) as {
    info: { filename: string; data: string };
    ranges: { start: { line: number }; end: { line: number } }[];
  };
  const [range] = ranges;
  const lines = { startLine: range?.start.line ?? 0, endLine: range?.end.line ?? 0 };
  return range ? excerpt(info.filename, Buffer.from(info.data, "base64").toString(), lines) : "";
}

function stdoutOf({ stdout }: CliContext) {
  return { isTerminal: stdout.isTerminal, write: (chunk: Uint8Array) => stdout.write(chunk) };
}
