import { expect, test } from "bun:test";
import type { ContentStore } from "../../../content/content.ts";
import type { Digest } from "../../../oci/digest.ts";
import { attest, attestedContent, readAttestation, subjectOf } from "./attestation.ts";

const digest = (digit: string): Digest => `sha256:${digit.repeat(64)}`;
const about = (subject: Digest) => ({ subject: [{ name: "x", digest: { sha256: subject.slice(7) } }], said: true });
const made = attest(digest("a"), { predicateType: "kind", statement: about });

function storeOf(blobs: typeof made.blobs): ContentStore {
  const known = new Map(blobs.map((blob) => [blob.digest, blob]));
  return {
    find: (wanted: Digest) => known.get(wanted),
    read: (wanted: Digest) => known.get(wanted)?.bytes,
  } as unknown as ContentStore;
}

test("a manifest of its own, which an index marks as being about another", () => {
  expect(subjectOf(made.entry)).toBe(digest("a"));
  expect(made.entry.platform).toEqual({ os: "unknown", architecture: "unknown" });
  expect(made.blobs.at(-1)?.digest).toBe(made.entry.digest);
  const index = { schemaVersion: 2 as const, manifests: [made.entry] };
  expect(new Set(attestedContent(storeOf(made.blobs), index))).toEqual(new Set(made.blobs.map((blob) => blob.digest)));
});

test("about another manifest it is written anew, about the same it stays what it is", () => {
  const store = storeOf(made.blobs);
  expect(readAttestation(store, made.entry, digest("a"))?.entry).toEqual(made.entry);
  const moved = readAttestation(store, made.entry, digest("b"));
  expect(moved && subjectOf(moved.entry)).toBe(digest("b"));
  expect(JSON.parse(Buffer.from(moved?.blobs[0]?.bytes ?? []).toString())).toEqual(about(digest("b")));
});

test("what is not whole here is none", () => {
  expect(readAttestation(storeOf(made.blobs.slice(1)), made.entry, digest("a"))).toBeUndefined();
  expect(attestedContent(storeOf([]), { schemaVersion: 2, manifests: [made.entry] })).toEqual([]);
});
