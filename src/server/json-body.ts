/** The JSON body of a request, with dockerd's own complaints. */
import { invalidArgument } from "../base/errors.ts";
import { collectText } from "../base/streams.ts";
import type { HttpRequest } from "./http/message.ts";
import { readBody, type Schema } from "./schema.ts";

/** No configuration is larger; a longer body is refused. */
const maxBytes = 16 * 1024 * 1024;

export interface JsonBodyOptions {
  /** The Go type of the value in errors: `container.CreateRequest`. */
  type?: string;
  /** What errors about its fields call it, in place of the type without its package. */
  name?: string;
  /** An empty body is refused in place of being read as nothing. */
  required?: boolean;
  /** The body is JSON whatever its Content-Type says. */
  anyType?: boolean;
}

/** Undefined for an empty body and for `null`. Throws invalid-argument. */
export async function jsonBody<T>(
  request: HttpRequest,
  schema: Schema,
  options: JsonBodyOptions = {},
): Promise<T | undefined> {
  if (!options.anyType) requireJsonType(request);
  let text: string;
  try {
    text = (await collectText(request.body, maxBytes)).trim();
  } catch (cause) {
    if (cause instanceof RangeError) throw invalidArgument("invalid JSON: http: request body too large", { cause });
    throw cause;
  }
  if (text === "") {
    if (options.required || request.bodyLength !== 0) {
      throw invalidArgument("invalid JSON: got EOF while reading request body");
    }
    return undefined;
  }
  return readBody(schema, parse(text), options) as T | undefined;
}

/** A body must say that it is JSON; no body needs no Content-Type. */
export function requireJsonType(request: HttpRequest): void {
  const type = request.headers.get("content-type") ?? "";
  if (type === "" && request.bodyLength === 0) return;
  const match = /^\s*([^;\s]*)\s*((?:;\s*[\w!#$&^.+-]+\s*=\s*(?:[\w!#$&^.+-]+|"[^"]*")\s*)*);?\s*$/.exec(type);
  if (type === "") throw invalidArgument("malformed Content-Type header (): mime: no media type");
  if (!match) throw invalidArgument(`malformed Content-Type header (${type}): mime: invalid media parameter`);
  if ((match[1] as string).toLowerCase() !== "application/json") {
    throw invalidArgument(`unsupported Content-Type header (${type}): must be 'application/json'`);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const complaint = goComplaint(text);
    if (complaint === "trailing") throw invalidArgument("unexpected content after JSON", { cause });
    throw invalidArgument(`invalid JSON: ${complaint}`, { cause });
  }
}

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
