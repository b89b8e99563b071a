/**
 * Where a result comes from, as SLSA has it: by what options, from which images, when. BuildKit's shape, without the graph of its own
 * (LLB), which there is none of here. Source: slsa.dev/provenance/v0.2 and v1; moby/buildkit solver/llbsolver/provenance.
 */
import type { Timestamp } from "../../buildkit-api/protocol/messages.ts";
import { type Digest, hexOf } from "../../oci/digest.ts";
import { formatPlatform, hostPlatform, type Platform } from "../../oci/platform.ts";
import { type DockerfileSource, sourceJson } from "../frontend/source-error.ts";
import type { ProvenanceOptions } from "./options.ts";
import { imageUrl } from "./package-url.ts";

/** What a build knows of itself. */
export interface BuildOrigin {
  frontend: string;
  /** As the client gave them. */
  options: Readonly<Record<string, string>>;
  images: readonly { name: string; platform: Platform; digest: Digest }[];
  secrets: readonly NamedInput[];
  ssh: readonly NamedInput[];
  /** Directories of the client's. */
  locals: readonly string[];
  /** Files came from elsewhere, too, of which nothing is noted here. */
  incomplete: boolean;
  /** Some step could reach the network. */
  network: boolean;
  dockerfile: DockerfileSource;
}

export interface NamedInput {
  id: string;
  optional?: boolean;
}

export interface BuildTimes {
  id: string;
  started: Timestamp;
  finished: Timestamp;
}

export const predicateTypes = {
  "v0.2": "https://slsa.dev/provenance/v0.2",
  v1: "https://slsa.dev/provenance/v1",
} as const;

const buildTypes = {
  "v0.2": "https://mobyproject.org/buildkit@v1",
  v1: "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
} as const;

export function predicate(origin: BuildOrigin, times: BuildTimes, options: ProvenanceOptions): object {
  return options.version === "v1" ? inV1(origin, times, options) : inV02(origin, times, options);
}

function inV02(origin: BuildOrigin, times: BuildTimes, options: ProvenanceOptions): object {
  const { parameters, source, materials, metadata } = partsOf(origin, options);
  return {
    builder: { id: options.builderId },
    buildType: buildTypes["v0.2"],
    materials,
    invocation: {
      configSource: { ...(source.uri && { uri: source.uri }), ...(source.path && { entryPoint: source.path }) },
      parameters,
      environment: { platform: formatPlatform(hostPlatform()) },
    },
    metadata: {
      buildInvocationID: times.id,
      buildStartedOn: dateOf(times.started),
      buildFinishedOn: dateOf(times.finished),
      completeness: {
        parameters: isComplete(origin, options),
        environment: true,
        materials: hasAllMaterials(origin),
      },
      reproducible: options.reproducible,
      "https://mobyproject.org/buildkit@v1#metadata": metadata,
      ...(isHermetic(origin) && { "https://mobyproject.org/buildkit@v1#hermetic": true }),
    },
  };
}

function inV1(origin: BuildOrigin, times: BuildTimes, options: ProvenanceOptions): object {
  const { parameters, source, materials, metadata } = partsOf(origin, options);
  return {
    buildDefinition: {
      buildType: buildTypes.v1,
      externalParameters: { configSource: source, request: parameters },
      internalParameters: { builderPlatform: formatPlatform(hostPlatform()) },
      resolvedDependencies: materials,
    },
    runDetails: {
      builder: { id: options.builderId },
      metadata: {
        invocationID: times.id,
        startedOn: dateOf(times.started),
        finishedOn: dateOf(times.finished),
        buildkit_metadata: metadata,
        ...(isHermetic(origin) && { buildkit_hermetic: true }),
        buildkit_completeness: {
          request: isComplete(origin, options),
          resolvedDependencies: hasAllMaterials(origin),
        },
        ...(options.reproducible && { buildkit_reproducible: true }),
      },
    },
  };
}

/** Of the host alone, or said elsewhere. */
const leftOut = /^(cgroup-parent|image-resolve-mode|platform|cache-imports|context|filename|vcs:.*|attest:.*)$/;
const private_ = /^(build-arg|label):/;

function partsOf(origin: BuildOrigin, { mode }: ProvenanceOptions) {
  const { options, frontend, secrets, ssh, locals, images, dockerfile } = origin;
  const isMax = mode === "max";
  const args = Object.entries(options).filter(([name]) => !leftOut.test(name) && (isMax || !private_.test(name)));
  const vcs = Object.entries(options).filter(([name, value]) => name.startsWith("vcs:") && value !== "");
  return {
    parameters: {
      frontend,
      ...(args.length > 0 && { args: Object.fromEntries(args.map(([name, value]) => [name, withoutLogin(value)])) }),
      ...(isMax && secrets.length > 0 && { secrets }),
      ...(isMax && ssh.length > 0 && { ssh }),
      ...(locals.length > 0 && { locals: locals.map((name) => ({ name })) }),
    },
    source: {
      ...(options["context"] && { uri: withoutLogin(options["context"]) }),
      ...(options["filename"] && { path: options["filename"] }),
    } as { uri?: string; path?: string },
    materials: images.map(({ name, platform, digest }) => ({
      uri: imageUrl(name, platform),
      digest: { sha256: hexOf(digest) },
    })),
    metadata: {
      ...(vcs.length > 0 && {
        vcs: Object.fromEntries(vcs.map(([name, value]) => [name.slice("vcs:".length), withoutLogin(value)])),
      }),
      ...(isMax && { source: { infos: [sourceJson(dockerfile)] } }),
    },
  };
}

function isComplete({ options, frontend }: BuildOrigin, { mode }: ProvenanceOptions): boolean {
  return frontend !== "" && (mode === "max" || !Object.keys(options).some((name) => private_.test(name)));
}

function hasAllMaterials({ locals, incomplete }: BuildOrigin): boolean {
  return locals.length === 0 && !incomplete;
}

function isHermetic(origin: BuildOrigin): boolean {
  return hasAllMaterials(origin) && !origin.network;
}

/** Of a URL, as BuildKit shows it. */
function withoutLogin(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@\s]+@/i, "$1xxxxx:xxxxx@");
}

function dateOf({ seconds, nanos }: Timestamp): string {
  const fraction = String(nanos).padStart(9, "0").replace(/0+$/, "");
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  return `${whole}${fraction === "" ? "" : `.${fraction}`}Z`;
}
