/** `URL?branch=main&subdir=web`: what a Git address may ask for, as BuildKit's dfgitutil reads it, whose messages these are. */
import { invalidArgument } from "../../base/errors.ts";
import { parseGoBool } from "../../base/go-bool.ts";
import type { GitSource } from "./git.ts";

type Asked = Pick<GitSource, "ref" | "subdirectory" | "checksum" | "submodules" | "keepGitDirectory">;

/** `fragment`: what the address says behind `#`, which must not say otherwise. Throws `invalid-argument`. */
export function parseGitQuery(query: string, fragment: Pick<Asked, "ref" | "subdirectory">): Asked {
  const asked: Asked = { ...fragment };
  const parameters = new URLSearchParams(query);
  for (const name of new Set(parameters.keys())) {
    const values = parameters.getAll(name);
    if (values.length > 1) throw invalidArgument(`query ${quoted(name)} has multiple values`);
    take(asked, name, values[0] ?? "");
  }
  if (parameters.has("tag") && parameters.has("branch")) throw invalidArgument("branch conflicts with tag");
  if (asked.ref.startsWith("-")) throw invalidArgument(`invalid refspec: ${asked.ref}`);
  return asked;
}

function take(asked: Asked, name: string, value: string): void {
  if (name === "submodules") asked.submodules = truth(name, value);
  else if (name === "keep-git-dir") asked.keepGitDirectory = truth(name, value);
  else if (value === "") throw invalidArgument(`query ${quoted(name)} has no value`);
  else if (name === "ref") asked.ref = agreed("ref", asked.ref, value);
  else if (name === "tag") asked.ref = agreed("ref", asked.ref, within("refs/tags/", value));
  else if (name === "branch") asked.ref = agreed("ref", asked.ref, within("refs/heads/", value));
  else if (name === "subdir") asked.subdirectory = agreed("subdir", asked.subdirectory, value);
  else if (name === "checksum" || name === "commit") asked.checksum = value;
  else throw invalidArgument(`unexpected query ${quoted(name)}`);
}

function within(prefix: string, ref: string): string {
  return ref.startsWith(prefix) ? ref : prefix + ref;
}

function agreed(what: string, present: string, value: string): string {
  if (present === "" || present === value) return value;
  throw invalidArgument(`${what} conflicts: ${quoted(present)} vs ${quoted(value)}`);
}

function truth(name: string, value: string): boolean {
  const parsed = value === "" || parseGoBool(value);
  if (parsed === undefined) throw invalidArgument(`invalid ${name} value: ${quoted(value)}`);
  return parsed;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
