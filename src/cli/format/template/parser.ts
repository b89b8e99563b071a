/** Parser of Go templates. Throws TemplateError with Go's own words (`template: :1: unclosed action`). */
import { unquoteGo } from "./go-strings.ts";
import { lex, type Token } from "./lexer.ts";
import type { BranchNode, CommandNode, Node, Operand, PipeNode } from "./nodes.ts";

export class TemplateError extends Error {
  /** What was printed before the error. */
  output = "";
}

/** Parses a template. `known` tells which function names exist; `name` stands in error messages. */
export function parseTemplate(input: string, known: (name: string) => boolean, name = ""): Node[] {
  return new Parser(input, known, name).parse();
}

type Terminator = "end" | "else" | "eof";

class Parser {
  private readonly tokens: Token[];
  private readonly known: (name: string) => boolean;
  private readonly name: string;
  private next = 0;
  private vars = ["$"];
  private ranges = 0;
  /** Line of the action being parsed, 0 between actions; an error later on mentions it. */
  private actionLine = 0;

  constructor(input: string, known: (name: string) => boolean, name: string) {
    this.name = name;
    this.tokens = lex(input);
    this.known = known;
  }

  parse(): Node[] {
    const { nodes } = this.list("eof");
    return nodes;
  }

  private take(): Token {
    const token = this.tokens[this.next] ?? (this.tokens[this.tokens.length - 1] as Token);
    this.next++;
    return token;
  }

  private peek(): Token {
    const token = this.take();
    this.next--;
    return token;
  }

  private takeNonSpace(): Token {
    let token = this.take();
    while (token.kind === "space") token = this.take();
    return token;
  }

  private peekNonSpace(): Token {
    const token = this.takeNonSpace();
    this.next--;
    return token;
  }

  private fail(message: string, line = this.lastLine()): never {
    throw new TemplateError(`template: ${this.name}:${line}: ${message}`);
  }

  private lastLine(): number {
    return this.tokens[Math.min(Math.max(this.next - 1, 0), this.tokens.length - 1)]?.line ?? 1;
  }

  private unexpected(token: Token, context: string): never {
    if (token.kind === "error") {
      let extra = "";
      if (this.actionLine !== 0 && this.actionLine !== token.line) {
        extra = ` in action started at ${this.name}:${this.actionLine}`;
        if (token.text.endsWith(" action")) extra = extra.slice(" in action".length);
      }
      this.fail(`${token.text}${extra}`, token.line);
    }
    this.fail(`unexpected ${showToken(token)} in ${context}`, token.line);
  }

  /** Nodes up to `{{end}}`, `{{else …}}` or the end of the input; says which it was. */
  private list(until: "eof" | "block"): { nodes: Node[]; terminator: Terminator; elseIf?: "if" | "with" } {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.takeNonSpace();
      if (token.kind === "eof") {
        if (until === "eof") return { nodes, terminator: "eof" };
        this.fail("unexpected EOF");
      } else if (token.kind === "text") {
        nodes.push({ kind: "text", text: token.text });
      } else if (token.kind === "leftDelim") {
        this.actionLine = token.line;
        const end = this.action(nodes);
        this.actionLine = 0;
        if (!end) continue;
        if (until === "eof") this.fail(`unexpected {{${end.terminator}}}`);
        return { nodes, ...end };
      } else {
        this.unexpected(token, "input");
      }
    }
  }

  /** One action. Adds its node, or returns what ended the enclosing list. */
  private action(nodes: Node[]): { terminator: Terminator; elseIf?: "if" | "with" } | undefined {
    const token = this.takeNonSpace();
    if (token.kind !== "keyword") {
      this.next--;
      nodes.push({ kind: "action", pos: token.pos, pipe: this.pipeline("command", "rightDelim") });
      return undefined;
    }
    switch (token.text) {
      case "if":
      case "range":
      case "with":
        nodes.push(this.branch(token.text, token.pos));
        return undefined;
      case "end":
        this.expectRightDelim("end");
        return { terminator: "end" };
      case "else": {
        const after = this.peekNonSpace();
        if (after.kind === "keyword" && (after.text === "if" || after.text === "with")) {
          return { terminator: "else", elseIf: after.text };
        }
        this.expectRightDelim("else");
        return { terminator: "else" };
      }
      case "break":
      case "continue":
        if (this.ranges === 0) this.fail(`{{${token.text}}} outside {{range}}`);
        this.expectRightDelim(`{{${token.text}}}`);
        nodes.push({ kind: token.text });
        return undefined;
    }
    return this.fail(`{{${token.text}}} is not supported in a format`);
  }

  private expectRightDelim(context: string): void {
    const token = this.takeNonSpace();
    if (token.kind !== "rightDelim") this.unexpected(token, context);
  }

  private branch(kind: BranchNode["kind"], pos: number): BranchNode {
    const scope = this.vars.length;
    const pipe = this.pipeline(kind, "rightDelim");
    if (kind === "range") this.ranges++;
    const body = this.list("block");
    if (kind === "range") this.ranges--;
    const node: BranchNode = { kind, pos, pipe, list: body.nodes };
    if (body.terminator === "else") {
      if (body.elseIf === undefined) {
        const rest = this.list("block");
        if (rest.terminator !== "end") this.fail("expected end; found {{else}}");
        node.elseList = rest.nodes;
      } else {
        if (body.elseIf !== kind) this.unexpected(this.takeNonSpace(), "else");
        const token = this.takeNonSpace();
        node.elseList = [this.branch(body.elseIf, token.pos)];
      }
    }
    this.vars.length = scope;
    return node;
  }

  private pipeline(context: string, end: "rightDelim" | "rightParen"): PipeNode {
    const pipe: PipeNode = { kind: "pipe", pos: this.peekNonSpace().pos, isAssign: false, declared: [], commands: [] };
    this.declarations(pipe, context);
    for (;;) {
      const token = this.takeNonSpace();
      if (token.kind === end) {
        this.checkPipeline(pipe, context);
        return pipe;
      }
      if (!operandStarts.has(token.kind)) this.unexpected(token, context);
      this.next--;
      pipe.commands.push(this.command());
    }
  }

  private declarations(pipe: PipeNode, context: string): void {
    for (;;) {
      const variable = this.peekNonSpace();
      if (variable.kind !== "variable") return;
      const start = this.next;
      this.takeNonSpace();
      const after = this.peekNonSpace();
      const isComma = after.kind === "char" && after.text === ",";
      if (after.kind !== "assign" && after.kind !== "declare" && !isComma) {
        this.next = start;
        return;
      }
      this.takeNonSpace();
      pipe.isAssign = after.kind === "assign";
      if (pipe.isAssign) this.useVariable(variable.text);
      pipe.declared.push(variable.text);
      this.vars.push(variable.text);
      if (!isComma) return;
      if (context !== "range" || pipe.declared.length >= 2) this.fail(`too many declarations in ${context}`);
      if (this.peekNonSpace().kind !== "variable") this.fail("range can only initialize variables");
    }
  }

  private checkPipeline(pipe: PipeNode, context: string): void {
    if (pipe.commands.length === 0) this.fail(`missing value for ${context}`);
    for (const [index, command] of pipe.commands.entries()) {
      const kind = command.args[0]?.kind ?? "nil";
      if (index > 0 && ["bool", "dot", "nil", "number", "string"].includes(kind)) {
        this.fail(`non executable command in pipeline stage ${index + 1}`);
      }
    }
  }

  private command(): CommandNode {
    const command: CommandNode = { kind: "command", pos: this.peekNonSpace().pos, args: [] };
    for (;;) {
      this.peekNonSpaceInto();
      const operand = this.operand();
      if (operand) command.args.push(operand);
      const token = this.take();
      if (token.kind === "space") continue;
      if (token.kind === "rightDelim" || token.kind === "rightParen") this.next--;
      else if (token.kind !== "pipe") this.unexpected(token, "operand");
      break;
    }
    if (command.args.length === 0) this.fail("empty command");
    return command;
  }

  private peekNonSpaceInto(): void {
    this.takeNonSpace();
    this.next--;
  }

  private operand(): Operand | undefined {
    const node = this.term();
    if (!node || this.peek().kind !== "field") return node;
    const pos = this.peek().pos;
    const path: string[] = [];
    while (this.peek().kind === "field") path.push(this.take().text.slice(1));
    switch (node.kind) {
      case "field":
      case "variable":
        return { ...node, pos, path: [...node.path, ...path] };
      case "bool":
      case "string":
      case "number":
      case "nil":
      case "dot": {
        const text = node.kind === "string" ? node.quoted : (this.tokens[this.next - path.length - 1]?.text ?? "");
        this.fail(`unexpected . after term ${JSON.stringify(text)}`);
      }
    }
    return { kind: "chain", pos, node, path };
  }

  private term(): Operand | undefined {
    const token = this.takeNonSpace();
    const { pos, text } = token;
    switch (token.kind) {
      case "identifier":
        if (!this.known(text)) this.fail(`function ${JSON.stringify(text)} not defined`);
        return { kind: "identifier", pos, name: text };
      case "dot":
      case "nil":
        return { kind: token.kind, pos };
      case "bool":
        return { kind: "bool", pos, value: text === "true" };
      case "variable":
        this.useVariable(text);
        return { kind: "variable", pos, path: [text] };
      case "field":
        return { kind: "field", pos, path: [text.slice(1)] };
      case "number":
        return this.number(token);
      case "charConstant": {
        const value = unquoteGo(text);
        if (value === undefined || [...value].length !== 1) this.fail(`malformed character constant: ${text}`);
        return { kind: "number", pos, text, value: value.codePointAt(0) as number, isInt: true };
      }
      case "leftParen":
        return this.pipeline("parenthesized pipeline", "rightParen");
      case "string":
      case "rawString": {
        const value = unquoteGo(text);
        if (value === undefined) this.fail("invalid syntax");
        return { kind: "string", pos, quoted: text, value };
      }
    }
    this.next--;
    return undefined;
  }

  private number({ text, pos }: Token): Operand {
    const digits = text.replaceAll("_", "");
    const octal = /^([+-]?)0([0-7]+)$/.exec(digits);
    const value = octal ? Number.parseInt(`${octal[1]}${octal[2]}`, 8) : signed(digits);
    if (Number.isNaN(value) || digits === "") this.fail(`illegal number syntax: ${JSON.stringify(text)}`);
    // Go takes a float constant with an integral value as an int too.
    return { kind: "number", pos, text, value, isInt: Number.isInteger(value) };
  }

  private useVariable(name: string): void {
    if (!this.vars.includes(name)) this.fail(`undefined variable ${JSON.stringify(name)}`);
  }
}

const operandStarts = new Set<string>([
  "bool",
  "charConstant",
  "dot",
  "field",
  "identifier",
  "number",
  "nil",
  "rawString",
  "string",
  "variable",
  "leftParen",
]);

/** Number("-0x10") is NaN in JavaScript: the sign goes on afterwards. */
function signed(text: string): number {
  const sign = text.startsWith("-") ? -1 : 1;
  const digits = text.replace(/^[+-]/, "");
  return digits === "" ? Number.NaN : sign * Number(digits);
}

function showToken(token: Token): string {
  if (token.kind === "eof") return "EOF";
  if (token.kind === "keyword" || token.kind === "dot" || token.kind === "nil") return `<${token.text}>`;
  if (token.text.length > 10) return `${JSON.stringify(token.text.slice(0, 10))}...`;
  return JSON.stringify(token.text);
}
