/** Where a build's result goes: `--output`, `--push`, `--load`, `--tag`. Source: Docker CLI reference, "docker buildx build", --output. */
import { createWriteStream, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { Writable } from "node:stream";
import type { Exporter } from "../../buildkit-api/protocol/messages.ts";
import { CliError } from "../command.ts";
import type { ContentStores } from "./content-stores.ts";
import { fields } from "./inputs.ts";

export interface BuildOutput {
  exporter: Exporter;
  /** A directory that gets the files, or what gets the archive; undefined: the result stays with the daemon. */
  target: { directory: string } | { open: () => Writable } | undefined;
}

/** Throws a CliError for outputs that make no sense. */
export function parseOutputs(given: {
  outputs: readonly string[];
  tags: readonly string[];
  push: boolean;
  load: boolean;
  stores: ContentStores;
  stdout: { isTerminal: boolean; write(chunk: Uint8Array): void };
}): BuildOutput[] {
  const { tags, push, load } = given;
  if (push && load) throw new CliError("push and load may not be set together at the moment");
  const outputs = given.outputs.map((text) => parseOutput(text, given));
  if (outputs.length === 0 || push || load) {
    const isImage = ({ exporter }: BuildOutput) => ["moby", "image"].includes(exporter.Type);
    const image = outputs.find(isImage);
    const attributes: Record<string, string> = push ? { push: "true" } : {};
    if (image) Object.assign(image.exporter.Attrs, attributes);
    else outputs.push({ exporter: { Type: push ? "image" : "moby", Attrs: attributes }, target: undefined });
  }
  for (const { exporter } of outputs) {
    if (["moby", "image", "docker", "oci"].includes(exporter.Type) && tags.length > 0) {
      exporter.Attrs["name"] ??= tags.join(",");
    }
    if (exporter.Attrs["push"] === "true" && !exporter.Attrs["name"]) {
      throw new CliError("tag is needed when pushing to registry");
    }
  }
  return outputs;
}

function parseOutput(
  text: string,
  { stdout, stores }: Pick<Parameters<typeof parseOutputs>[0], "stdout" | "stores">,
): BuildOutput {
  // A path alone: a directory, or an archive on standard output.
  const short: Record<string, string> = text === "-" ? { type: "tar", dest: "-" } : { type: "local", dest: text };
  const { type = "", dest = "", ...attributes } = text.includes("=") ? fields(text, "output") : short;
  const exporter = (name: string): Exporter => ({ Type: name, Attrs: attributes });
  switch (type) {
    case "":
      throw new CliError("type is required for output");
    case "local":
      if (dest === "" || dest === "-") throw new CliError("dest is required for local output");
      return { exporter: exporter(type), target: { directory: dest } };
    case "tar":
    case "oci":
    case "docker": {
      if (attributes["tar"] === "false" && type !== "tar") {
        if (dest === "" || dest === "-")
          throw new CliError(`dest directory is required for ${type} exporter with tar=false`);
        stores.output(dest);
        return { exporter: exporter(type), target: undefined };
      }
      const isStdout = dest === "" || dest === "-";
      // The daemon's own store takes it.
      if (type === "docker" && dest === "") return { exporter: exporter("moby"), target: undefined };
      if (isStdout && stdout.isTerminal) {
        throw new CliError(`dest file is required for ${type} exporter. refusing to write to console`);
      }
      return { exporter: exporter(type), target: { open: () => (isStdout ? toStdout(stdout) : toFile(dest)) } };
    }
    case "registry":
      attributes["push"] = "true";
      return { exporter: exporter("image"), target: undefined };
    default:
      return { exporter: exporter(type === "image" ? "moby" : type), target: undefined };
  }
}

function toStdout(stdout: { write(chunk: Uint8Array): void }): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      stdout.write(chunk);
      done();
    },
  });
}

function toFile(path: string): Writable {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new CliError(`destination file ${path} is a directory`);
  }
  mkdirSync(dirname(path), { recursive: true });
  return createWriteStream(path);
}
