/**
 * Questions about a Dockerfile, answered without a build: `docker build --call=check|outline|targets`.
 * Source: moby/buildkit frontend/subrequests.
 */
import { notImplemented } from "../../base/errors.ts";
import { BuildArgs } from "../../builder/build-args.ts";
import { neededStages, targetStage } from "../../builder/stages.ts";
import type { Dockerfile, Location, RunMount, Stage } from "../../dockerfile/instructions.ts";
import { clientId, expandMount, parseMount } from "../../dockerfile/mounts.ts";
import { parseDockerfile } from "../../dockerfile/parse.ts";
import { expandWord } from "../../dockerfile/words/shell-words.ts";
import { lintResult } from "./lint-result.ts";
import type { FrontendOptions } from "./options.ts";
import { type DockerfileSource, rangesJson } from "./source-error.ts";

/** The answer, as JSON and as text. Throws `not-implemented` for a question that is not known. */
export function answerRequest(source: DockerfileSource, options: FrontendOptions): Record<string, Uint8Array> {
  switch (options.request) {
    case "frontend.lint":
      return lintResult(source, options);
    case "frontend.outline":
      return answer(outline(parseDockerfile(source.text), source, options));
    case "frontend.targets":
      return answer(targets(parseDockerfile(source.text), source));
    default:
      throw notImplemented(`the request ${options.request} is not supported`);
  }
}

function answer(result: object): Record<string, Uint8Array> {
  const json = Buffer.from(JSON.stringify(result, undefined, 2));
  return { "result.json": json, "result.txt": json, version: Buffer.from("1.0.0") };
}

function targets({ stages }: Dockerfile, source: DockerfileSource) {
  return {
    targets: stages.map((stage, index) => ({
      ...(stage.name && { name: stage.name, ...described(source, stage.location, stage.name) }),
      ...(index === stages.length - 1 && { default: true }),
      base: stage.base,
      ...(stage.platform && { platform: stage.platform }),
      location: rangesJson(stage.location),
    })),
    sources: [Buffer.from(source.text).toString("base64")],
  };
}

function outline(dockerfile: Dockerfile, source: DockerfileSource, { target, args: given }: FrontendOptions) {
  const { stages, metaArgs } = dockerfile;
  const index = targetStage(dockerfile, target);
  const chain = neededStages(stages, index, ({ base }) => base).map((place) => stages[place] as Stage);
  const last = stages[index] as Stage;
  const used = metaArgs.filter(({ args }) =>
    args.some(({ name }) => stages.some(({ base }) => base.includes(`$${name}`) || base.includes(`\${${name}`))),
  );
  const instructions = chain.flatMap((stage) => stage.instructions);
  const args = [...used, ...instructions.filter((instruction) => instruction.kind === "arg")].flatMap((instruction) =>
    instruction.args.map(({ name, value }) => ({
      name,
      ...described(source, instruction.location, name),
      ...((given[name] ?? value) !== undefined && { value: given[name] ?? value }),
      location: rangesJson(instruction.location),
    })),
  );
  const found = runMounts(dockerfile, chain, given);
  const mounts = (type: "secret" | "ssh") =>
    found
      .filter(({ mount }) => mount.type === type)
      .map(({ mount, location }) => ({
        name: clientId(mount),
        ...(mount.required && { required: true }),
        location: rangesJson(location),
      }));
  return {
    ...(last.name && { name: last.name, ...described(source, last.location, last.name) }),
    args,
    secrets: mounts("secret"),
    ssh: mounts("ssh"),
    sources: [Buffer.from(source.text).toString("base64")],
  };
}

/** What RUN lines mount. Their variables are replaced, as far as the Dockerfile says what they are: an id may be made of arguments. */
function runMounts(
  { metaArgs, directives }: Dockerfile,
  chain: readonly Stage[],
  given: Readonly<Record<string, string>>,
): { mount: RunMount; location: Location }[] {
  const global = BuildArgs.global(given, {});
  for (const { name, value } of metaArgs.flatMap(({ args }) => args)) global.declare(name, value);
  const environment = new Map<string, string>();
  return chain.flatMap((stage) => {
    const args = global.stage();
    const lookup = (name: string) => environment.get(name) ?? args.get(name);
    const word = (text: string) => expandWord(text, lookup, directives.escape);
    return stage.instructions.flatMap((instruction) => {
      if (instruction.kind === "arg") {
        for (const { name, value } of instruction.args) args.declare(name, value === undefined ? value : word(value));
      } else if (instruction.kind === "env") {
        for (const [name, value] of instruction.pairs.map(([name, value]) => [word(name), word(value)] as const)) {
          environment.set(name, value);
        }
      } else if (instruction.kind === "run") {
        const { location } = instruction;
        return instruction.mounts.map((text) => ({ mount: parseMount(expandMount(text, word)), location }));
      }
      return [];
    });
  });
}

/** What a comment right above says of a name: a line that begins with it. */
function described({ text }: DockerfileSource, { startLine }: Location, name: string): { description?: string } {
  const lines = text.split("\n").slice(0, startLine - 1);
  for (let line = lines.pop(); line?.trimStart().startsWith("#"); line = lines.pop()) {
    const comment = line.trim().slice(1).trim();
    if (comment.startsWith(`${name} `)) return { description: comment.slice(name.length).trim() };
  }
  return {};
}
