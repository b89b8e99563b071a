/** The shapes of answers: JSON, nothing, byte streams, JSON streams, hijacked connections. */
import type { ProgressMessage } from "../api/system.ts";
import { errorMessage } from "../base/errors.ts";
import { goJson } from "../base/go-json.ts";
import type { Bytes } from "../base/streams.ts";
import { StepFailure } from "../builder/steps/step-failure.ts";
import type { BodyChunk, HttpResponse } from "./http/message.ts";

export function json(value: unknown, status = 200): HttpResponse {
  return { status, headers: { "Content-Type": "application/json" }, body: `${JSON.stringify(value)}\n` };
}

export function empty(status: number): HttpResponse {
  return { status };
}

export function text(body: string, status = 200): HttpResponse {
  return { status, headers: { "Content-Type": "text/plain; charset=utf-8" }, body };
}

export function bytes(contentType: string, body: Bytes, headers: Record<string, string> = {}): HttpResponse {
  return { status: 200, headers: { "Content-Type": contentType, ...headers }, body };
}

/** One JSON value per line, each as soon as it is there; an error becomes the stream's last line. */
export function jsonStream(values: AsyncIterable<unknown>, contentType = "application/json"): HttpResponse {
  return { status: 200, headers: { "Content-Type": contentType }, body: jsonLines(values) };
}

async function* jsonLines(values: AsyncIterable<unknown>): AsyncGenerator<string> {
  try {
    for await (const value of values) yield `${goJson(value)}\n`;
  } catch (error) {
    yield streamError(error);
  }
}

/** Docker's message for an error after the head was sent. */
export function streamError(error: unknown): string {
  const message = errorMessage(error);
  const errorDetail = { ...(error instanceof StepFailure ? { code: error.exitCode } : {}), message };
  return `${JSON.stringify({ errorDetail, error: message })}\r\n`;
}

/**
 * Work that reports progress as a JSON stream. Nothing is answered before the first message: there are clients that go away at the
 * head. An error before that is a status (it is thrown), unless `always` is set; a later one is the last message.
 */
export async function progressStream(
  work: (progress: (message: ProgressMessage) => void) => Promise<void>,
  options: { always: boolean } = { always: false },
): Promise<HttpResponse> {
  const queue: ProgressMessage[] = [];
  let wake = () => {};
  const done = work((message) => {
    queue.push(message);
    wake();
  });
  let settled = false;
  const settle = done.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  settle.then(() => {
    settled = true;
    wake();
  });
  const change = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
      if (queue.length > 0 || settled) resolve();
    });
  await change();
  if (queue.length === 0 && !options.always) await done;
  async function* body(): AsyncGenerator<BodyChunk> {
    for (;;) {
      const messages = queue.splice(0);
      if (messages.length > 0) yield messages.map((message) => `${JSON.stringify(message)}\r\n`).join("");
      else if (settled) break;
      else await change();
    }
    const failure = await settle;
    if (failure) yield streamError(failure.error);
  }
  return { status: 200, headers: { "Content-Type": "application/json" }, body: body() };
}
