/**
 * The lexer of Go's text/template, down to its error texts: docker's users see `template: :1: unclosed action` and scripts match it.
 * Spec: https://pkg.go.dev/text/template.
 */
export type TokenKind =
  | "error"
  | "bool"
  | "char"
  | "charConstant"
  | "assign"
  | "declare"
  | "eof"
  | "field"
  | "identifier"
  | "leftParen"
  | "number"
  | "pipe"
  | "rawString"
  | "rightDelim"
  | "leftDelim"
  | "rightParen"
  | "space"
  | "string"
  | "text"
  | "variable"
  | "dot"
  | "nil"
  | "keyword";

export interface Token {
  kind: TokenKind;
  text: string;
  /** Offset in the template. */
  pos: number;
  line: number;
}

const keywords = new Set(["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"]);
const singles: Record<string, TokenKind> = { "=": "assign", "|": "pipe" };

/** All tokens of a template; the last one is `eof` or `error`. Never throws: the parser reports the error token when it meets it. */
export function lex(input: string): Token[] {
  return new Lexer(input).run();
}

class Lexer {
  private readonly input: string;
  private readonly tokens: Token[] = [];
  private pos = 0;
  private parens = 0;

  constructor(input: string) {
    this.input = input;
  }

  run(): Token[] {
    while (this.text());
    return this.tokens;
  }

  private emit(kind: TokenKind, start: number, text = this.input.slice(start, this.pos)): true {
    this.tokens.push({ kind, text, pos: start, line: this.lineOf(start) });
    return true;
  }

  private fail(text: string, at = this.pos): false {
    this.emit("error", at, text);
    return false;
  }

  private lineOf(pos: number): number {
    let line = 1;
    for (let i = this.input.indexOf("\n"); i >= 0 && i < pos; i = this.input.indexOf("\n", i + 1)) line++;
    return line;
  }

  /** Text up to the next action, then that action. False at the end of the input or after an error. */
  private text(): boolean {
    const start = this.pos;
    const open = this.input.indexOf("{{", start);
    let end = open < 0 ? this.input.length : open;
    const trimLeft = open >= 0 && this.input[open + 2] === "-" && isSpace(this.input[open + 3]);
    if (trimLeft) while (end > start && isSpace(this.input[end - 1])) end--;
    if (end > start) this.emit("text", start, this.input.slice(start, end));
    if (open < 0) {
      this.pos = this.input.length;
      this.emit("eof", this.pos, "");
      return false;
    }
    this.pos = open + 2 + (trimLeft ? 2 : 0);
    if (this.input.startsWith("/*", this.pos)) return this.comment();
    this.emit("leftDelim", open, "{{");
    this.parens = 0;
    return this.action();
  }

  private comment(): boolean {
    const close = this.input.indexOf("*/", this.pos);
    if (close < 0) return this.fail("unclosed comment");
    this.pos = close + 2;
    const delim = this.rightDelim();
    if (!delim) return this.fail("comment ends before closing delimiter");
    this.pos += delim.length;
    if (delim.trims) this.skipSpace();
    return true;
  }

  private rightDelim(): { length: number; trims: boolean } | undefined {
    if (isSpace(this.input[this.pos]) && this.input.startsWith("-}}", this.pos + 1)) return { length: 4, trims: true };
    if (this.input.startsWith("}}", this.pos)) return { length: 2, trims: false };
    return undefined;
  }

  private skipSpace(): void {
    while (isSpace(this.input[this.pos])) this.pos++;
  }

  private action(): boolean {
    for (;;) {
      const delim = this.rightDelim();
      if (delim) {
        if (this.parens > 0) return this.fail("unclosed left paren");
        const start = this.pos;
        this.pos += delim.length;
        this.emit("rightDelim", start, "}}");
        if (delim.trims) this.skipSpace();
        return true;
      }
      if (!this.insideAction()) return false;
    }
  }

  private insideAction(): boolean {
    const start = this.pos;
    const c = this.input[this.pos];
    if (c === undefined) return this.fail("unclosed action");
    if (isSpace(c)) {
      while (isSpace(this.input[this.pos]) && !(this.pos > start && this.rightDelim())) this.pos++;
      return this.emit("space", start);
    }
    this.pos++;
    const single = singles[c];
    if (single) return this.emit(single, start);
    switch (c) {
      case ":":
        if (this.input[this.pos] !== "=") return this.fail("expected :=");
        this.pos++;
        return this.emit("declare", start);
      case '"':
        return this.quoted('"', "string", "unterminated quoted string");
      case "'":
        return this.quoted("'", "charConstant", "unterminated character constant");
      case "`":
        return this.rawQuote();
      case "(":
        this.parens++;
        return this.emit("leftParen", start);
      case ")":
        if (--this.parens < 0) return this.fail("unexpected right paren");
        return this.emit("rightParen", start);
      case "$":
        return this.name("variable");
    }
    const next = this.input[this.pos];
    if (c === "." && !(next !== undefined && next >= "0" && next <= "9")) return this.name("field");
    if (/[+\-.0-9]/.test(c)) return this.number();
    if (isAlphaNumeric(c)) return this.identifier();
    if (c > " " && c < "\x7f") return this.emit("char", start);
    return this.fail(`unrecognized character in action: ${describeRune(c)}`);
  }

  private quoted(quote: string, kind: TokenKind, error: string): boolean {
    const start = this.pos - 1;
    for (;;) {
      const c = this.input[this.pos++];
      if (c === undefined || c === "\n") return this.fail(error, start);
      if (c === "\\") {
        const escaped = this.input[this.pos++];
        if (escaped === undefined || escaped === "\n") return this.fail(error, start);
      }
      if (c === quote) return this.emit(kind, start);
    }
  }

  private rawQuote(): boolean {
    const start = this.pos - 1;
    const close = this.input.indexOf("`", this.pos);
    if (close < 0) return this.fail("unterminated raw quoted string", start);
    this.pos = close + 1;
    return this.emit("rawString", start);
  }

  /** `.Field`, `$name`, or a bare `.` or `$`; the first character is already consumed. */
  private name(kind: "field" | "variable"): boolean {
    const start = this.pos - 1;
    if (this.atTerminator()) return this.emit(kind === "variable" ? "variable" : "dot", start);
    while (isAlphaNumeric(this.input[this.pos])) this.pos++;
    if (!this.atTerminator()) return this.fail(`bad character ${describeRune(this.rune())}`);
    return this.emit(kind, start);
  }

  private identifier(): boolean {
    const start = this.pos - 1;
    while (isAlphaNumeric(this.input[this.pos])) this.pos++;
    if (!this.atTerminator()) return this.fail(`bad character ${describeRune(this.rune())}`);
    const word = this.input.slice(start, this.pos);
    if (keywords.has(word)) return this.emit("keyword", start);
    if (word === "nil") return this.emit("nil", start);
    return this.emit(word === "true" || word === "false" ? "bool" : "identifier", start);
  }

  private number(): boolean {
    const start = this.pos - 1;
    const match =
      /^[+-]?(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+(?![0-9.eE])|[0-9_]*\.?[0-9_]*([eE][+-]?[0-9_]+)?)/.exec(
        this.input.slice(start),
      );
    this.pos = start + (match?.[0].length ?? 1);
    if (isAlphaNumeric(this.input[this.pos])) {
      this.pos++;
      return this.fail(`bad number syntax: ${JSON.stringify(this.input.slice(start, this.pos))}`, start);
    }
    return this.emit("number", start);
  }

  private rune(): string | undefined {
    const code = this.input.codePointAt(this.pos);
    return code === undefined ? undefined : String.fromCodePoint(code);
  }

  private atTerminator(): boolean {
    const c = this.input[this.pos];
    return c === undefined || isSpace(c) || ".,|:()".includes(c) || this.input.startsWith("}}", this.pos);
  }
}

function isSpace(c: string | undefined): boolean {
  return c === " " || c === "\t" || c === "\r" || c === "\n";
}

function isAlphaNumeric(c: string | undefined): boolean {
  return c !== undefined && /[\p{L}\p{Nd}_]/u.test(c);
}

/** Go's `%#U`: `U+0040 '@'`. */
function describeRune(c: string | undefined): string {
  if (c === undefined) return "U+FFFFFFFFFFFFFFFF";
  const code = c.codePointAt(0) as number;
  const hex = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  return code > 31 && code !== 127 ? `${hex} '${c}'` : hex;
}
