/**
 * `-c`/`--change` of commit and import: Dockerfile instructions that change a run config, with dockerd's rules and messages.
 * moby: builder/dockerfile/builder.go BuildFromConfig, dispatchers.go; buildkit: frontend/dockerfile/instructions/parse.go
 */
import { posix } from "node:path";
import type { ContainerConfig } from "../../../api/container-config.ts";
import { invalidArgument } from "../../../base/errors.ts";
import { parseSignal } from "../../../oci/signals.ts";
import { parseHealthcheck } from "./health.ts";
import {
  type Instruction,
  parseInstruction,
  parseInstructions,
  parseJsonWords,
  parseNameValues,
} from "./instruction.ts";
import { parseExposedPorts } from "./ports.ts";
import { expandWord, expandWords, type Lookup } from "./shell-words.ts";

interface State {
  config: ContainerConfig;
  /** CMD was given in these changes, so that ENTRYPOINT does not clear it. */
  commandSet: boolean;
}

type Apply = (state: State, instruction: Instruction) => void;

/** Applies the changes to a copy of the config. Throws `invalid-argument` for what dockerd refuses. */
export function applyChanges(config: ContainerConfig, changes: readonly string[]): ContainerConfig {
  const state: State = { config: structuredClone(config), commandSet: false };
  if (changes.length === 0) return state.config;
  const instructions = parseInstructions(changes.join("\n"));
  for (const { name } of instructions) {
    if (!Object.hasOwn(executors, name.toUpperCase())) throw invalidArgument(`${name} is not a valid change command`);
  }
  for (const instruction of instructions) {
    const name = instruction.name.toUpperCase();
    if (name !== "HEALTHCHECK" && instruction.flags.length > 0) {
      throw invalidArgument(`unknown flag: ${instruction.flags[0]?.split("=")[0]}`);
    }
    executors[name]?.(state, instruction);
  }
  return state.config;
}

const executors: Record<string, Apply> = {
  CMD: (state, { rest }) => {
    state.config.Cmd = command(state.config, rest);
    state.commandSet = true;
  },
  ENTRYPOINT: ({ config, commandSet }, { rest }) => {
    config.Entrypoint = rest === "" || parseJsonWords(rest)?.length === 0 ? null : command(config, rest);
    if (!commandSet) config.Cmd = null;
  },
  ENV: ({ config }, { rest }) => {
    const lookup = environmentOf(config);
    for (const [name, value] of nameValues("ENV", rest, lookup))
      config.Env = setVariable(config.Env ?? [], name, value);
  },
  EXPOSE: ({ config }, { rest }) => {
    const words = required("EXPOSE", rest.split(/\s+/).filter(Boolean));
    const lookup = environmentOf(config);
    const ports = words.flatMap((word) => expandWords(word, lookup)).flatMap(parseExposedPorts);
    config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}])) };
  },
  HEALTHCHECK: ({ config }, instruction) => {
    config.Healthcheck = parseHealthcheck(instruction);
  },
  LABEL: ({ config }, { rest }) => {
    config.Labels = { ...config.Labels, ...Object.fromEntries(nameValues("LABEL", rest, environmentOf(config))) };
  },
  ONBUILD: ({ config }, { rest }) => {
    config.OnBuild = [...(config.OnBuild ?? []), onBuildTrigger(rest)];
  },
  STOPSIGNAL: ({ config }, { rest }) => {
    const signal = expandWord(one("STOPSIGNAL", rest), environmentOf(config));
    // dockerd takes any number here and leaves it to the container's start.
    if (!/^[1-9]\d*$/.test(signal)) parseSignal(signal);
    config.StopSignal = signal;
  },
  USER: ({ config }, { rest }) => {
    config.User = expandWord(one("USER", rest), environmentOf(config));
  },
  VOLUME: ({ config }, { rest }) => {
    const words = required("VOLUME", parseJsonWords(rest) ?? rest.split(/\s+/).filter(Boolean));
    for (const word of words) {
      const path = expandWord(word, environmentOf(config)).trim();
      if (path === "") throw invalidArgument("VOLUME specified can not be an empty string");
      config.Volumes = { ...config.Volumes, [path]: {} };
    }
  },
  WORKDIR: ({ config }, { rest }) => {
    const path = expandWord(one("WORKDIR", rest), environmentOf(config));
    if (path === "") throw invalidArgument("cannot normalize nothing");
    const absolute = path.startsWith("/") ? path : `/${config.WorkingDir ?? ""}/${path}`;
    config.WorkingDir = posix.normalize(absolute).replace(/(.)\/$/, "$1");
  },
};

function command(config: ContainerConfig, rest: string): string[] {
  const words = parseJsonWords(rest);
  if (words) return words;
  return [...(config.Shell?.length ? config.Shell : ["/bin/sh", "-c"]), ...(rest === "" ? [] : [rest])];
}

function nameValues(instruction: string, rest: string, lookup: Lookup): [string, string][] {
  return required(instruction, parseNameValues(rest, instruction)).map(([name, value]) => {
    const key = expandWord(name, lookup);
    if (key === "") throw invalidArgument(`${instruction} names can not be blank`);
    return [key, expandWord(value, lookup)];
  });
}

function onBuildTrigger(rest: string): string {
  const name = parseInstruction(rest).name.toUpperCase();
  if (name === "") throw invalidArgument("ONBUILD requires at least one argument");
  if (name === "ONBUILD") throw invalidArgument("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (name === "FROM" || name === "MAINTAINER") throw invalidArgument(`${name} isn't allowed as an ONBUILD trigger`);
  return rest;
}

function required<T>(instruction: string, words: T[]): T[] {
  if (words.length === 0) throw invalidArgument(`${instruction} requires at least one argument`);
  return words;
}

function one(instruction: string, rest: string): string {
  if (rest === "") throw invalidArgument(`${instruction} requires exactly one argument`);
  return rest;
}

function environmentOf(config: ContainerConfig): Lookup {
  return (name) => config.Env?.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

function setVariable(environment: string[], name: string, value: string): string[] {
  const at = environment.findIndex((entry) => entry.split("=", 1)[0] === name);
  return at < 0 ? [...environment, `${name}=${value}`] : environment.with(at, `${name}=${value}`);
}
