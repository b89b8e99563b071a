/** The complaints of Go's encoding/json, which clients print. */

/**
 * Go's words for what is wrong with a text that is not JSON, found by scanning it. `trailing`: a whole value with something behind.
 */
export function goComplaint(text: string): string {
  const scanner = new GoScanner(text);
  const complaint = scanner.value();
  if (complaint !== undefined) return complaint;
  return "trailing";
}

/** Walks a JSON text until its first mistake. */
class GoScanner {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** Undefined when a whole value was read. */
  value(): string | undefined {
    const char = this.peek();
    if (char === "{") return this.list("}", true);
    if (char === "[") return this.list("]", false);
    if (char === '"') return this.string();
    const literal = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/.exec(this.text.slice(this.at));
    if (!literal) return this.bad("looking for beginning of value");
    this.at += literal[0].length;
    return undefined;
  }

  private list(close: string, keyed: boolean): string | undefined {
    this.at++;
    if (this.peek() === close) return this.step();
    for (;;) {
      if (keyed) {
        if (this.peek() !== '"') return this.bad("looking for beginning of object key string");
        const key = this.string();
        if (key) return key;
        if (this.peek() !== ":") return this.bad("after object key");
        this.at++;
      }
      const item = this.value();
      if (item) return item;
      const next = this.peek();
      if (next === close) return this.step();
      if (next !== ",") return this.bad(keyed ? "after object key:value pair" : "after array element");
      this.at++;
    }
  }

  private string(): string | undefined {
    const match = /^"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/.exec(this.text.slice(this.at));
    this.at += match?.[0].length ?? 0;
    const end = this.text[this.at];
    if (end === '"') return this.step();
    return this.bad(end === "\\" ? "in string escape code" : "in string literal");
  }

  private step(): undefined {
    this.at++;
  }

  private peek(): string | undefined {
    while (/\s/.test(this.text[this.at] ?? "")) this.at++;
    return this.text[this.at];
  }

  private bad(where: string): string {
    const char = this.text[this.at];
    if (char === undefined) return "unexpected EOF";
    return `invalid character ${char === "'" ? `'\\''` : `'${char}'`} ${where}`;
  }
}
