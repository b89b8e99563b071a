/**
 * The head of an HTTP/1.x request, parsed strictly (RFC 9112): what two parsers could read in two ways is refused, so that no
 * request can hide inside another. Throws HttpProtocolError with the status to answer.
 */

export class HttpProtocolError extends Error {
  override readonly name = "HttpProtocolError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export type BodyFraming = { kind: "none" } | { kind: "length"; length: number } | { kind: "chunked" };

export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: ReadonlyMap<string, string>;
  readonly framing: BodyFraming;
  /** False for HTTP/1.0, which knows no chunks and no keep-alive. */
  readonly http11: boolean;
  readonly keepAlive: boolean;
  readonly expectsContinue: boolean;
}

/** Go's own limit, and so dockerd's. */
export const maxHeadBytes = 1 << 20;

const requestLine = /^([A-Z][A-Za-z-]{0,31}) (\S+) HTTP\/1\.([01])$/;
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;
/** No control characters but tab. */
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Parses the bytes before the empty line (which is not part of `text`; latin-1). */
export function parseRequestHead(text: string): RequestHead {
  const [first = "", ...rest] = text.split("\r\n");
  const match = requestLine.exec(first);
  if (!match) throw badRequest(/HTTP\/\d/.test(first) ? "malformed request line" : "malformed HTTP request");
  const headers = parseHeaders(rest);
  const http11 = match[3] === "1";
  if (http11 && !headers.has("host")) throw badRequest("missing required Host header");
  const connection = (headers.get("connection") ?? "").toLowerCase();
  return {
    method: match[1] as string,
    target: match[2] as string,
    ...parseTarget(match[2] as string),
    headers,
    framing: bodyFraming(headers, http11),
    http11,
    keepAlive: http11 && !/(^|,)\s*close\s*(,|$)/.test(connection),
    expectsContinue: http11 && headers.get("expect")?.toLowerCase() === "100-continue",
  };
}

function parseHeaders(lines: string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const match = headerLine.exec(line);
    const value = match?.[2] ?? "";
    if (!match || !headerValue.test(value)) throw badRequest("malformed header line");
    const name = (match[1] as string).toLowerCase();
    const earlier = headers.get(name);
    if (earlier !== undefined && name === "host") throw badRequest("too many Host headers");
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  return headers;
}

function parseTarget(target: string): { path: string; query: URLSearchParams } {
  const origin = target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?#]*/i, "");
  if (!origin.startsWith("/") && target !== "*") throw badRequest("malformed request target");
  const mark = origin.indexOf("?");
  const path = mark < 0 ? origin : origin.slice(0, mark);
  const query = mark < 0 ? "" : origin.slice(mark + 1);
  if (/%(?![0-9A-Fa-f]{2})/.test(query)) throw badRequest("invalid URL escape in query");
  try {
    return { path: path.includes("%") ? decodeURIComponent(path) : path, query: new URLSearchParams(query) };
  } catch (cause) {
    throw Object.assign(badRequest("invalid URL escape in path"), { cause });
  }
}

/** How the body is delimited. A length beside chunks, differing lengths, or a coding other than chunked are refused. */
function bodyFraming(headers: ReadonlyMap<string, string>, http11: boolean): BodyFraming {
  const coding = headers.get("transfer-encoding");
  const length = headers.get("content-length");
  if (coding !== undefined) {
    if (length !== undefined) throw badRequest("both Content-Length and Transfer-Encoding are given");
    if (!http11) throw badRequest("Transfer-Encoding in an HTTP/1.0 request");
    if (coding.toLowerCase() !== "chunked")
      throw new HttpProtocolError(501, `unsupported transfer encoding: ${coding}`);
    return { kind: "chunked" };
  }
  if (length === undefined) return { kind: "none" };
  const values = new Set(length.split(",").map((value) => value.trim()));
  const [value = ""] = values;
  if (values.size !== 1 || !/^\d{1,15}$/.test(value)) throw badRequest(`bad Content-Length "${length}"`);
  return value === "0" || Number(value) === 0 ? { kind: "none" } : { kind: "length", length: Number(value) };
}

function badRequest(message: string): HttpProtocolError {
  return new HttpProtocolError(400, message);
}
