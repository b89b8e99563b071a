/**
 * Instructions of a Dockerfile, typed, with values as they are written (expand.ts replaces variables).
 * Source: Dockerfile reference; buildkit frontend/dockerfile/instructions/commands.go
 */
import type { HealthConfig } from "../api/container-config.ts";
import type { Line } from "./lines.ts";

/** Lines, counted from 1. */
export interface Location {
  startLine: number;
  endLine: number;
}

export interface Heredoc {
  name: string;
  content: string;
  /** False when the name was quoted: variables stay as they are. */
  expand: boolean;
}

export type MountKind = "bind" | "cache" | "tmpfs" | "secret" | "ssh";

export interface RunMount {
  type: MountKind;
  target?: string;
  source?: string;
  /** A stage, an image or a named context. */
  from?: string;
  readOnly: boolean;
  id?: string;
  sharing?: "shared" | "private" | "locked";
  /** Bytes. */
  size?: number;
  mode?: number;
  uid?: number;
  gid?: number;
  required: boolean;
  /** A secret as an environment variable. */
  env?: string;
}

interface Base {
  /** The line as it was written, continuations joined, without the bodies of heredocs. */
  original: string;
  location: Location;
  /** Values mean what they say: no variable is replaced. */
  literal?: boolean;
}

type Kind<Name extends string, Fields> = Base & { kind: Name } & Fields;

interface CopyFields {
  sources: string[];
  heredocs: Heredoc[];
  destination: string;
  from?: string;
  chown?: string;
  chmod?: string;
  link: boolean;
  parents: boolean;
  exclude: string[];
  checksum?: string;
  keepGitDir: boolean;
  unpack?: boolean;
}

/** In shell form `command` is the one text that the shell gets; `[]` when there was none. */
interface CommandFields {
  command: string[];
  shellForm: boolean;
}

export type ArgInstruction = Kind<"arg", { args: { name: string; value?: string }[] }>;
export type CopyInstruction = Kind<"copy", CopyFields> | Kind<"add", CopyFields>;
export type RunInstruction = Kind<
  "run",
  CommandFields & {
    heredocs: Heredoc[];
    /** As written: what they say is known once variables are replaced (`parseMount`). */
    mounts: string[];
    network?: "default" | "none" | "host";
    security?: "insecure" | "sandbox";
    devices: string[];
  }
>;

export type Instruction =
  | ArgInstruction
  | CopyInstruction
  | RunInstruction
  | Kind<"env", { pairs: [name: string, value: string][] }>
  | Kind<"label", { pairs: [name: string, value: string][] }>
  | Kind<"maintainer", { name: string }>
  | Kind<"cmd", CommandFields>
  | Kind<"entrypoint", CommandFields>
  | Kind<"expose", { ports: string[] }>
  | Kind<"user", { user: string }>
  | Kind<"workdir", { path: string }>
  | Kind<"volume", { paths: string[] }>
  | Kind<"stopsignal", { signal: string }>
  | Kind<"shell", { shell: string[] }>
  | Kind<"healthcheck", { health: HealthConfig }>
  | Kind<"onbuild", { expression: string }>;

export interface Stage {
  /** Lower case. */
  name?: string;
  /** Image or stage, as written. */
  base: string;
  platform?: string;
  instructions: Instruction[];
  original: string;
  location: Location;
}

export interface Warning {
  /** Name of the lint rule. */
  rule: string;
  message: string;
  /** What the rule is about. */
  description: string;
  /** Where it is explained. */
  url: string;
  location: Location;
}

export interface Directives {
  syntax?: string;
  escape: "\\" | "`";
  check?: string;
}

export interface Dockerfile {
  directives: Directives;
  /** ARG before the first FROM. */
  metaArgs: ArgInstruction[];
  stages: Stage[];
  /** The file as it is written: `metaArgs`, and each stage with its instructions, in this order. */
  lines: Line[];
  /** What the parser alone has to say; lint.ts knows all rules. */
  warnings: Warning[];
}
