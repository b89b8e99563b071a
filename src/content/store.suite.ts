/** What every content store must do; each implementation's test runs it. */
import { describe, expect, test } from "bun:test";
import { errorKind } from "../base/errors.ts";
import { collect } from "../base/streams.ts";
import { digestOf } from "../oci/digest.ts";
import type { ContentStore } from "./content.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);
const type = "application/octet-stream";

async function kindOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "none",
    (error) => errorKind(error),
  );
}

export function contentStoreSuite(name: string, make: () => Promise<ContentStore>): void {
  describe(name, () => {
    test("what is put can be read, whole and from an offset", async () => {
      const store = await make();
      const digest = await store.put(bytes("hello"), type);
      expect(digest).toBe(digestOf("hello"));
      expect(text(store.read(digest))).toBe("hello");
      expect(text(await collect(store.open(digest, 3)))).toBe("lo");
      expect(store.find(digest)).toEqual({ digest, size: 5, mediaType: type });
    });

    test("put is idempotent and delete is too", async () => {
      const store = await make();
      const digest = await store.put(bytes("x"), type);
      await store.put(bytes("x"), type);
      expect(store.list()).toHaveLength(1);
      await store.delete(digest);
      await store.delete(digest);
      expect(store.list()).toEqual([]);
      expect(() => store.read(digest)).toThrow(`content ${digest}: not found`);
      expect(() => store.open(digest)).toThrow("not found");
    });

    test("an ingest is invisible until committed", async () => {
      const store = await make();
      const ingest = await store.ingest("layer-1");
      await ingest.write(bytes("ab"));
      await ingest.write(bytes("cd"));
      const digest = digestOf("abcd");
      expect(store.find(digest)).toBeUndefined();
      await ingest.commit({ digest, size: 4, mediaType: type });
      expect(text(store.read(digest))).toBe("abcd");
      expect(await store.ingests()).toEqual([]);
    });

    test("an ingest goes on where an earlier writer stopped", async () => {
      const store = await make();
      const first = await store.ingest("k");
      await first.write(bytes("ab"));
      await first.close();
      expect((await store.ingests()).map(({ key, offset }) => ({ key, offset }))).toEqual([{ key: "k", offset: 2 }]);
      const second = await store.ingest("k");
      expect(second.offset).toBe(2);
      await second.write(bytes("cd"));
      await second.commit({ digest: digestOf("abcd"), mediaType: type });
      expect(text(store.read(digestOf("abcd")))).toBe("abcd");
    });

    test("an ingest can be read while it grows", async () => {
      const store = await make();
      const ingest = await store.ingest("k");
      await ingest.write(bytes("abc"));
      expect(text(await ingest.read(1, 10))).toBe("bc");
      expect(text(await ingest.read(3, 10))).toBe("");
      await ingest.abort();
    });

    test("a truncated ingest starts again", async () => {
      const store = await make();
      const first = await store.ingest("k");
      await first.write(bytes("junk"));
      await first.truncate();
      await first.write(bytes("ok"));
      await first.commit({ digest: digestOf("ok"), mediaType: type });
      expect(text(store.read(digestOf("ok")))).toBe("ok");
    });

    test("wrong content is refused and removed", async () => {
      const store = await make();
      const wrongDigest = await store.ingest("k");
      await wrongDigest.write(bytes("ab"));
      expect(await kindOf(wrongDigest.commit({ digest: digestOf("xy"), mediaType: type }))).toBe("invalid-argument");
      const wrongSize = await store.ingest("k");
      expect(wrongSize.offset).toBe(0);
      await wrongSize.write(bytes("ab"));
      const commit = wrongSize.commit({ digest: digestOf("ab"), size: 3, mediaType: type });
      expect(await kindOf(commit)).toBe("invalid-argument");
      expect(store.list()).toEqual([]);
      expect(await store.ingests()).toEqual([]);
    });

    test("one writer at a time; committing what exists is fine", async () => {
      const store = await make();
      await store.put(bytes("ab"), type);
      const ingest = await store.ingest("k");
      expect(await kindOf(store.ingest("k"))).toBe("conflict");
      expect(await kindOf(store.abandon("k"))).toBe("conflict");
      await ingest.write(bytes("ab"));
      expect((await ingest.commit({ digest: digestOf("ab"), mediaType: type })).size).toBe(2);
      const again = await store.ingest("k");
      await again.abort();
      expect(await store.ingests()).toEqual([]);
    });
  });
}
