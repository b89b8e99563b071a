/** The `--flags` of one instruction. buildkit frontend/dockerfile/instructions/bflag.go */
import { invalidArgument } from "../base/errors.ts";
import { withSuggestion } from "./lint/suggest.ts";

export interface FlagKinds {
  text?: readonly string[];
  boolean?: readonly string[];
  /** May be given more than once. */
  list?: readonly string[];
}

export class InstructionFlags {
  private readonly values = new Map<string, string[]>();

  /** Throws `invalid-argument` for flags that are unknown, given twice, or without their value. */
  constructor(given: readonly string[], { text = [], boolean = [], list = [] }: FlagKinds) {
    const known = [...text, ...boolean, ...list];
    for (const flag of given) {
      const [, name = "", value] = /^--([^=]*)(?:=(.*))?$/s.exec(flag) ?? [];
      if (!known.includes(name)) throw invalidArgument(withSuggestion(`unknown flag: --${name}`, name, known));
      const before = this.values.get(name) ?? [];
      if (before.length > 0 && !list.includes(name)) throw invalidArgument(`duplicate flag specified: --${name}`);
      if (value === undefined && !boolean.includes(name)) throw invalidArgument(`missing a value on flag: --${name}`);
      if (boolean.includes(name) && value !== undefined && !["true", "false"].includes(value.toLowerCase())) {
        throw invalidArgument(`expecting boolean value for flag --${name}, not: ${value}`);
      }
      this.values.set(name, [...before, value ?? "true"]);
    }
  }

  text(name: string): string | undefined {
    return this.values.get(name)?.[0];
  }

  boolean(name: string): boolean {
    return this.text(name)?.toLowerCase() === "true";
  }

  list(name: string): string[] {
    return this.values.get(name) ?? [];
  }
}
