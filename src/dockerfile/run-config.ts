/** What instructions change in the config that containers of the image start from. moby: builder/dockerfile/dispatchers.go */
import { posix } from "node:path";
import type { ContainerConfig } from "../api/container-config.ts";
import { invalidArgument } from "../base/errors.ts";
import { parseSignal } from "../oci/signals.ts";
import type { Instruction } from "./instructions.ts";
import { parseExposedPorts } from "./ports.ts";

export interface RunConfigState {
  config: ContainerConfig;
  /** CMD was given here, not only in the base image: ENTRYPOINT then does not clear it. */
  commandSet: boolean;
}

/** The instruction is expanded. What runs, copies or declares changes nothing here. Throws `invalid-argument`. */
export function applyInstruction(state: RunConfigState, instruction: Instruction): void {
  const { config } = state;
  switch (instruction.kind) {
    case "cmd":
      config.Cmd = command(config, instruction);
      if (instruction.command.length > 0) state.commandSet = true;
      break;
    case "entrypoint": {
      const { command: words, shellForm } = instruction;
      config.Entrypoint = words.length === 0 ? null : shellForm ? command(config, instruction) : words;
      if (!state.commandSet) config.Cmd = null;
      break;
    }
    case "env":
      for (const [name, value] of instruction.pairs) {
        if (name === "") throw invalidArgument(`invalid environment variable: =${value}`);
        config.Env = setVariable(config.Env ?? [], name, value);
      }
      break;
    case "expose": {
      const ports = instruction.ports.flatMap(parseExposedPorts);
      config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}])) };
      break;
    }
    case "healthcheck":
      config.Healthcheck = instruction.health;
      break;
    case "label":
      config.Labels = { ...config.Labels, ...Object.fromEntries(instruction.pairs) };
      break;
    case "onbuild":
      config.OnBuild = [...(config.OnBuild ?? []), instruction.expression];
      break;
    case "shell":
      config.Shell = instruction.shell;
      break;
    case "stopsignal":
      // dockerd takes any number but 0 here and leaves it to the container's start.
      if (!/^[+-]?0*[1-9]\d*$/.test(instruction.signal)) parseSignal(instruction.signal);
      config.StopSignal = instruction.signal;
      break;
    case "user":
      config.User = instruction.user;
      break;
    case "volume":
      for (const path of instruction.paths.map((text) => text.trim())) {
        if (path === "") throw invalidArgument("VOLUME specified can not be an empty string");
        config.Volumes = { ...config.Volumes, [path]: {} };
      }
      break;
    case "workdir":
      config.WorkingDir = workingDirectory(config.WorkingDir ?? "", instruction.path);
      break;
  }
}

function command(
  config: ContainerConfig,
  { command: words, shellForm }: { command: string[]; shellForm: boolean },
): string[] {
  if (!shellForm) return words;
  return [...shellOf(config), ...words];
}

/** What the shell form of instructions is run by. */
export function shellOf(config: ContainerConfig): string[] {
  return config.Shell?.length ? config.Shell : ["/bin/sh", "-c"];
}

function workingDirectory(current: string, path: string): string {
  if (path === "") throw invalidArgument("cannot normalize nothing");
  const absolute = path.startsWith("/") ? path : `/${current}/${path}`;
  return posix.normalize(absolute).replace(/(.)\/$/, "$1");
}

function setVariable(environment: string[], name: string, value: string): string[] {
  const at = environment.findIndex((entry) => entry.split("=", 1)[0] === name);
  return at < 0 ? [...environment, `${name}=${value}`] : environment.with(at, `${name}=${value}`);
}
