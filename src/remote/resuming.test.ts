import { expect, test } from "bun:test";
import { collectText, once } from "../base/streams.ts";
import type { Digest } from "../oci/digest.ts";
import { RegistryError } from "./registry-error.ts";
import { openResuming, resumingBlob } from "./resuming.ts";

const digest = `sha256:${"0".repeat(64)}` as Digest;
const text = "0123456789";
const { signal } = new AbortController();

/** What the registry sends from an offset on: by each request, in order. */
function remote(...answers: ((offset: number) => { start: number; part: string; breaks?: boolean })[]) {
  const left = [...answers];
  return {
    async openBlob(_digest: Digest, offset: number) {
      const answer = left.shift();
      if (!answer) throw new RegistryError("unknown blob", { status: 404, code: "BLOB_UNKNOWN" });
      const { start, part, breaks } = answer(offset);
      async function* body() {
        yield* once(Buffer.from(part));
        if (breaks) throw new Error("connection reset");
      }
      return { start, size: text.length, body: body() };
    },
  };
}

const breaking = (length: number) => (offset: number) => ({
  ...{ start: offset, part: text.slice(offset, offset + length), breaks: true },
});
const ending = (length: number) => (offset: number) => ({ start: offset, part: text.slice(offset, offset + length) });
const whole = () => ({ start: 0, part: text });

test("a broken connection is gone on with, and one that ends early; who knows no ranges begins again", async () => {
  const { size, body } = await openResuming(remote(breaking(3), ending(2), whole), digest, signal);
  expect(size).toBe(10);
  expect(await collectText(body)).toBe(text);
  expect(await collectText(resumingBlob(remote(ending(4), ending(9)), { digest, size: 10 }, signal))).toBe(text);
});

test("what does not go away by itself is told at once", async () => {
  const blob = resumingBlob(remote(breaking(3)), { digest, size: 10 }, signal);
  await expect(collectText(blob)).rejects.toThrow("unknown blob");
});
