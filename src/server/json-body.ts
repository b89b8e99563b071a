/** The JSON body of a request, with dockerd's own complaints. */
import { invalidArgument } from "../base/errors.ts";
import { goComplaint } from "../base/go-json-complaint.ts";
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
