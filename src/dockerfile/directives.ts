/** Parser directives: `# syntax=`, `# escape=`, `# check=` before everything else, each once. buildkit parser/directives.go */
import { invalidArgument } from "../base/errors.ts";
import type { Directives } from "./instructions.ts";

const names = ["syntax", "escape", "check"];

export class DirectiveParser {
  private readonly found = new Map<string, string>();
  private ended = false;
  private started = false;
  private shebang = false;

  /** Says whether the line is a directive. The first line that is none ends them. Throws `invalid-argument`. */
  take(line: string): boolean {
    const isFirst = !this.started;
    this.started = true;
    if (isFirst && line.startsWith("#!")) {
      this.shebang = true;
      return false;
    }
    if (this.ended) return false;
    const [, name = "", value = ""] = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line) ?? [];
    const key = name.toLowerCase();
    // After `#!` the parser itself sees only comments, but who picks a frontend or the rules does not.
    if (!names.includes(key) || (this.shebang && key === "escape")) {
      this.ended = true;
      return false;
    }
    if (this.found.has(key)) throw invalidArgument(`only one ${key} parser directive can be used`);
    if (key === "escape" && value !== "\\" && value !== "`") {
      throw invalidArgument(`invalid escape token '${value}' does not match \` or \\`);
    }
    this.found.set(key, value);
    return true;
  }

  get escape(): "\\" | "`" {
    return this.found.get("escape") === "`" ? "`" : "\\";
  }

  directives(): Directives {
    const [syntax, check] = [this.found.get("syntax"), this.found.get("check")];
    return {
      escape: this.escape,
      ...(syntax === undefined ? {} : { syntax }),
      ...(check === undefined ? {} : { check }),
    };
  }
}
