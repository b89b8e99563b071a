/** What a build of a Dockerfile knows of where its result comes from. */
import type { UsedImage } from "../../builder/image-sources.ts";
import type { Instruction, Stage } from "../../dockerfile/instructions.ts";
import { clientId, parseMount } from "../../dockerfile/mounts.ts";
import { type Digest, isSha256 } from "../../oci/digest.ts";
import { type Platform, parsePlatform } from "../../oci/platform.ts";
import { parseReference, repositoryOf } from "../../oci/reference.ts";
import type { PlatformBuildScope } from "../frontend/platform-build.ts";
import type { BuildkitImages } from "../parts.ts";
import type { BuildOrigin, NamedInput } from "./predicate.ts";

export function originOf(
  { deps, request, options, source, dockerfile }: PlatformBuildScope,
  build: { images: readonly UsedImage[]; needed: readonly number[]; platform: Platform },
): BuildOrigin {
  const stages = build.needed.map((index) => dockerfile.stages[index] as Stage);
  const instructions = stages.flatMap((stage) => stage.instructions);
  const contexts = [...options.contexts.values()];
  const named = contexts.flatMap((target) => (target.startsWith("local:") ? target.slice("local:".length) : []));
  const local = options.remote === undefined ? ["context", "dockerfile"] : [];
  return {
    frontend: "dockerfile.v0",
    options: request.options,
    // A digest alone is a result of another build, of which nothing is known here.
    images: build.images
      .filter(({ name }) => !isSha256(name))
      .map(({ name, platform, image }) => ({
        name,
        platform: platform ? parsePlatform(platform) : build.platform,
        digest: digestFor(deps.images, name, image),
      })),
    secrets: mountsOf(instructions, "secret"),
    ssh: mountsOf(instructions, "ssh"),
    locals: [...local, ...named].toSorted(),
    incomplete:
      options.remote !== undefined ||
      contexts.some((target) => !/^(local:|docker-image:)/.test(target)) ||
      instructions.some((instruction) => instruction.kind === "add" && instruction.sources.some(isElsewhere)),
    network: instructions.some((instruction) => instruction.kind === "run" && instruction.network !== "none"),
    dockerfile: source,
  };
}

/** That of the manifest, where the image came from a registry. */
function digestFor(images: BuildkitImages, name: string, image: Digest): Digest {
  const repository = repositoryOf(parseReference(name));
  const known = images.references(image).find((one) => one.digest !== undefined && repositoryOf(one) === repository);
  return known?.digest ?? image;
}

function mountsOf(instructions: readonly Instruction[], type: "secret" | "ssh"): NamedInput[] {
  const mounts = instructions.flatMap((instruction) => (instruction.kind === "run" ? instruction.mounts : []));
  const inputs = mounts.flatMap((text): NamedInput[] => {
    // What has variables is not known before it runs.
    if (text.includes("$") || !text.includes(type)) return [];
    const mount = parseMount(text);
    if (mount.type !== type) return [];
    return [{ id: clientId(mount), ...(!mount.required && { optional: true }) }];
  });
  return [...new Map(inputs.map((input) => [input.id, input])).values()];
}

function isElsewhere(source: string): boolean {
  return /^[a-z]+:\/\/|^git@/.test(source);
}
