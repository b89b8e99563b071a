/** Which files of the context a build can need: what a client is asked to send. Source: dockerfile2llb/convert.go, normalizeContextPaths. */
import { posix } from "node:path";
import type { Dockerfile, Instruction } from "../../dockerfile/instructions.ts";
import { parseMount } from "../../dockerfile/mounts.ts";

/** Paths without a slash at their beginning; none: everything. */
export function contextPaths({ stages }: Dockerfile): string[] {
  const paths = new Set<string>();
  for (const source of stages.flatMap((stage) => stage.instructions.flatMap(sourcesOf))) {
    const path = posix.normalize(`/${source}`).slice(1).replace(/\/$/, "");
    // Names that are not known before variables are: better too much than too little.
    if (path === "" || source.includes("$")) return [];
    paths.add(path);
  }
  return [...paths];
}

function sourcesOf(instruction: Instruction): string[] {
  if (instruction.kind === "copy" || instruction.kind === "add") {
    if (instruction.from !== undefined) return [];
    // With --parents the part before `/./` is not a part of the name.
    return instruction.sources.filter((source) => !/^[a-z]+:\/\/|^git@/.test(source));
  }
  if (instruction.kind === "run") {
    return instruction.mounts.flatMap((text) => {
      if (text.includes("$")) return ["."];
      const mount = parseMount(text);
      return mount.type === "bind" && !mount.from ? [mount.source ?? "."] : [];
    });
  }
  // An image's ONBUILD may want files too; that is known when the image is.
  return [];
}
