/** Follows a stage's instructions as a build would, for what only then shows: variables, working directories, what is overridden. */
import { expandWith } from "../expand.ts";
import type { Instruction, Location, Stage } from "../instructions.ts";
import { steeringArgs } from "../known-args.ts";
import { type Line, parseLine } from "../lines.ts";
import { expandMount, parseMount } from "../mounts.ts";
import { parseTrigger } from "../parse.ts";
import { isProtocol, parseExposedPorts, splitPortSpec } from "../ports.ts";
import { applyInstruction } from "../run-config.ts";
import { type Escape, expandText, expandWord, expandWords, type Lookup } from "../words/shell-words.ts";
import { splitWords } from "../words/words.ts";
import type { Findings } from "./findings.ts";
import type { GlobalScope } from "./lint-from.ts";
import { suggestion } from "./suggest.ts";

/** What is known of an image that a stage stands on. */
export interface LintImage {
  env: readonly string[];
  shell?: readonly string[];
  triggers?: readonly string[];
}

interface StageContext {
  findings: Findings;
  stage: Stage;
  global: GlobalScope;
  /** `--build-arg` */
  args: Readonly<Record<string, string>>;
  token: Escape;
}

/** Names that hold secrets: whole, or as a word between underscores. */
const secretWords = "apikey|auth|credential|credentials|key|password|pword|passwd|secret|token";
const secret = new RegExp(`(?:_|^)(?:${secretWords})(?:_|$)`, "i");
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const notSecret = /(?:_|^)public(?:_|$)/i;

export class StageLinter {
  private readonly context: StageContext;
  private env = new Map([["PATH", defaultPath]]);
  /** Arguments, with and without a value. */
  private declared = new Set<string>();
  /** All that the stage stands on is known, so what is not in `env` is not set. */
  private known = true;
  private ownShell = false;
  private workdirSet = false;
  private triggers: readonly string[] = [];
  private readonly last = new Map<Instruction["kind"], Location>();

  constructor(context: StageContext) {
    this.context = context;
  }

  /** Takes over from the stage or image that FROM names; undefined is an image of which nothing is known. */
  begin(base: StageLinter | LintImage | undefined): void {
    if (base instanceof StageLinter) {
      this.env = new Map(base.env);
      this.declared = new Set(base.declared);
      this.known = base.known;
      this.ownShell = base.ownShell;
      this.workdirSet = base.workdirSet;
      const { instructions } = base.context.stage;
      this.triggers = instructions.flatMap((each) => (each.kind === "onbuild" ? each.expression : []));
      return;
    }
    this.known = base !== undefined;
    this.ownShell = (base?.shell ?? []).length > 0;
    this.triggers = base?.triggers ?? [];
    for (const entry of base?.env ?? []) {
      const at = entry.indexOf("=");
      this.env.set(entry.slice(0, at), entry.slice(at + 1));
    }
  }

  /** `lines` are those of the instructions. */
  lint(lines: readonly Line[]): void {
    const { stage } = this.context;
    for (const expression of this.triggers) {
      const line = parseLine(expression);
      const legacy = isLegacy(line);
      this.follow({ ...parseTrigger(expression), location: stage.location }, line.givenName, legacy);
    }
    for (const [index, instruction] of stage.instructions.entries()) {
      const line = lines[index] as Line;
      this.follow(instruction, line.givenName, isLegacy(line));
    }
  }

  private follow(given: Instruction, name: string, legacy: boolean): void {
    const { findings } = this.context;
    const { location } = given;
    findings.location = location;
    const instruction = given.kind === "arg" || given.kind === "run" ? given : this.expand(given);
    switch (instruction.kind) {
      case "arg":
        this.declare(instruction);
        break;
      case "cmd":
      case "entrypoint":
        this.once(instruction, name);
        if (instruction.shellForm && !this.ownShell) findings.report("JSONArgsRecommended", location, name);
        break;
      case "healthcheck":
        this.once(instruction, name);
        break;
      case "env":
        for (const [variable, value] of instruction.pairs) {
          if (legacy) findings.report("LegacyKeyValueFormat", location, name);
          this.refuseSecret("ENV", variable, location);
          this.env.set(variable, value);
        }
        break;
      case "label":
        if (legacy) findings.report("LegacyKeyValueFormat", location, name);
        break;
      case "shell":
        this.ownShell = true;
        break;
      case "workdir":
        // Only the first: once that one is absolute, all are.
        if (!this.workdirSet && !instruction.path.startsWith("/")) {
          findings.report("WorkdirRelativePath", location, instruction.path);
        }
        this.workdirSet = true;
        break;
      case "expose":
        for (const port of instruction.ports) this.lintPort(port, location);
        break;
      case "run":
        for (const mount of instruction.mounts) parseMount(expandMount(mount, (text) => this.text(text, location)));
        break;
      case "stopsignal":
      case "volume":
        applyInstruction({ config: {}, commandSet: false }, instruction);
        break;
    }
  }

  /** The earlier one is what has no effect. */
  private once({ kind, location }: Instruction, name: string): void {
    const earlier = this.last.get(kind);
    if (earlier) this.context.findings.report("MultipleInstructionsDisallowed", earlier, name);
    this.last.set(kind, location);
  }

  private declare(instruction: Instruction & { kind: "arg" }): void {
    const { args: given, global } = this.context;
    for (const { name, value: written } of instruction.args) {
      this.refuseSecret("ARG", name, instruction.location);
      let value = given[name] ?? (written === undefined ? global.values[name] : undefined);
      if (value === undefined && written !== undefined) {
        value = this.text(written, instruction.location);
      }
      if (value !== undefined && !steeringArgs.includes(name)) this.env.set(name, value);
      this.declared.add(name);
    }
  }

  private expand(instruction: Instruction): Instruction {
    const { token } = this.context;
    const { location } = instruction;
    return expandWith(instruction, {
      word: (text) => this.text(text, location),
      // EXPOSE alone says nothing of what is not set.
      words: (text) => expandWords(text, (name) => this.env.get(name), token),
      text: (text) => this.noting(location, (lookup) => expandText(text, lookup)),
    });
  }

  private text(word: string, location: Location): string {
    return this.noting(location, (lookup) => expandWord(word, lookup, this.context.token));
  }

  private noting(location: Location, expand: (lookup: Lookup) => string): string {
    const missing = new Set<string>();
    try {
      return expand((name) => {
        const value = this.env.get(name);
        if (value === undefined) missing.add(name);
        return value;
      });
    } finally {
      this.reportMissing(missing, location);
    }
  }

  private reportMissing(names: ReadonlySet<string>, location: Location): void {
    for (const name of names) {
      if (!this.known || this.declared.has(name) || steeringArgs.includes(name)) continue;
      this.context.findings.report("UndefinedVar", location, name, suggestion(name, [...this.env.keys()]) ?? "");
    }
  }

  private refuseSecret(instruction: "ARG" | "ENV", name: string, location: Location): void {
    if (!secret.test(name) || notSecret.test(name)) return;
    this.context.findings.report("SecretsUsedInArgOrEnv", location, instruction, name);
  }

  private lintPort(spec: string, location: Location): void {
    const { findings } = this.context;
    const { address, hostPort, port } = splitPortSpec(spec);
    const [number, protocol = ""] = port.split("/");
    const readable = number !== "" && isProtocol(protocol);
    if (readable && protocol !== protocol.toLowerCase()) findings.report("ExposeProtoCasing", location, spec);
    if (readable && (address !== "" || hostPort !== "")) findings.report("ExposeInvalidFormat", location, spec);
    parseExposedPorts(spec);
  }
}

/** `ENV name value` */
function isLegacy({ name, rest, escape: token }: Line): boolean {
  return (name === "ENV" || name === "LABEL") && !(splitWords(rest, token)[0] ?? "").includes("=");
}
