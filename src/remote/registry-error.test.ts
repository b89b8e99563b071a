import { expect, test } from "bun:test";
import { retryAfterOf, toRegistryError } from "./registry-error.ts";

const answer = (status: number, body: string, headers: Record<string, string> = {}) =>
  toRegistryError(new Response(body, { status, headers }));
const coded = (status: number, code: string, message: string, detail?: unknown) =>
  answer(status, JSON.stringify({ errors: [{ code, message, detail }] }));

// Each compared with dockerd 28.5's answer to the same.
test.each<[string, Promise<{ message: string; kind: string }>, string, string]>([
  [
    "a code that is explained",
    coded(404, "MANIFEST_UNKNOWN", "manifest unknown", { Tag: "1" }),
    "manifest unknown: manifest unknown",
    "not-found",
  ],
  ["a bare code", coded(404, "NAME_UNKNOWN", "repository name not known to registry"), "name unknown", "not-found"],
  ["a code with words of its own", coded(403, "DENIED", "not you"), "denied: not you", "forbidden"],
  ["no answer worth the name", answer(403, "<html>no</html>"), "denied: <html>no</html>", "forbidden"],
  ["nothing", answer(401, ""), "unauthorized: ", "unauthorized"],
  ["patience", answer(429, ""), "toomanyrequests: ", "too-many-requests"],
  ["another status", answer(404, "gone"), "unknown: gone", "internal"],
  ["the server's fault", answer(503, "busy"), "received unexpected HTTP status: 503", "internal"],
  [
    "a scope that is not given",
    answer(401, "", { "WWW-Authenticate": 'Bearer realm="r",error="insufficient_scope"' }),
    "denied: requested access to the resource is denied",
    "forbidden",
  ],
])("%s", async (_name, error, message, kind) => {
  const { message: said, kind: is } = await error;
  expect([said, is]).toEqual([message, kind]);
});

test("an endless answer is not read to its end", async () => {
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += 1 << 16;
      controller.enqueue(new Uint8Array(1 << 16));
    },
  });
  expect((await toRegistryError(new Response(body, { status: 400 }))).message).toBe("unknown: ");
  expect(sent).toBeLessThan(1 << 20);
});

test("Retry-After in seconds, as a date, as nonsense", () => {
  const seconds = (value: string) => retryAfterOf(new Response("", { headers: { "Retry-After": value } }));
  expect(seconds("7")).toBe(7);
  expect(seconds(new Date(Date.now() + 5000).toUTCString())).toBeWithin(3, 6);
  expect(seconds("Thu, 01 Jan 1970 00:00:00 GMT")).toBe(0);
  expect(seconds("soon")).toBeUndefined();
});
